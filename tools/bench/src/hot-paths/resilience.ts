import { compose, createBreaker, createBulkhead, createFallback, createRetry, createTimeout } from '@smart-whale/core-resilience'
import type { Policy } from '@smart-whale/interfaces'
import pRetry from 'p-retry'
import type { Contender, HotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'
import { cockatiel, opossum, throughCockatiel, type Work } from './resilience-peers.ts'

const CALLS_PER_REPEAT = 500
const OURS = 'core-resilience'
const COCKATIEL = 'cockatiel'
const OPOSSUM = 'opossum'
const NOTHING = 'nothing around the call'

const work: Work = async () => 1
const ours = (policy: { execute(work: Work): Promise<number> }): Work => () => policy.execute(work)

/** Five policies around a call that succeeds. */
export const fivePolicies: HotPath = {
  name: 'five-policies',
  title: 'Fallback, timeout, retry, breaker and bulkhead around a call that succeeds',
  operation: 'call',
  measure: 'client CPU',
  baseline: COCKATIEL,
  goals: [
    { contender: OURS, against: COCKATIEL, speedAtLeast: 25 },
    { contender: OURS, against: `${OPOSSUM}, breaker and timeout alone`, speedAtLeast: 2 },
  ],
  open: async () => {
    const alternatives = [{ name: 'zero', answer: () => 0 }]
    const five = compose<number>(createFallback({ alternatives }), createTimeout({ timeoutMs: 1_000 }), createRetry(), createBreaker(), createBulkhead({ maxConcurrent: 10, maxQueued: 10 }))
    const circuit = opossum(work)
    return {
      contenders: [
        succeeding(OURS, ours(five)),
        succeeding(`${OPOSSUM}, breaker and timeout alone`, () => circuit.fire()),
        succeeding(COCKATIEL, throughCockatiel(cockatiel.five(), work)),
        succeeding(NOTHING, work),
      ],
      serverPid: null,
      close: async () => circuit.shutdown(),
    }
  },
}

/** A call that an open breaker refuses. */
export const openBreaker: HotPath = {
  name: 'open-breaker',
  title: 'Open breaker: a call refused',
  operation: 'call',
  measure: 'client CPU',
  baseline: OPOSSUM,
  goals: [{ contender: OURS, against: OPOSSUM, speedAtLeast: 3 }],
  open: async () => {
    const breaker = createBreaker()
    breaker.trip()
    const circuit = opossum(work)
    circuit.open()
    const isolated = cockatiel.breaker() as ReturnType<typeof cockatiel.breaker> & { isolate(): { dispose(): void } }
    const handle = isolated.isolate()
    return {
      contenders: [refused(OURS, ours(breaker)), refused(OPOSSUM, () => circuit.fire()), refused(COCKATIEL, throughCockatiel(isolated, work))],
      serverPid: null,
      close: async () => {
        handle.dispose()
        circuit.shutdown()
      },
    }
  },
}

/** One policy alone around a call that succeeds. */
export const singlePolicies: readonly HotPath[] = [
  single('breaker', () => createBreaker(), cockatiel.breaker),
  single('timeout', () => createTimeout({ timeoutMs: 1_000 }), cockatiel.timeout),
  single('retry', () => createRetry(), cockatiel.retry, { 'p-retry': () => pRetry(work, { retries: 2 }) }),
  single('bulkhead', () => createBulkhead({ maxConcurrent: 10, maxQueued: 10 }), cockatiel.bulkhead),
]

function single(policy: string, make: () => Policy, peer: () => ReturnType<typeof cockatiel.breaker>, others: Readonly<Record<string, Work>> = {}): HotPath {
  return {
    name: `policy-${policy}`,
    title: `One policy around a call that succeeds: ${policy}`,
    operation: 'call',
    measure: 'client CPU',
    baseline: COCKATIEL,
    goals: [],
    open: async () => ({
      contenders: [
        succeeding(OURS, ours(make())),
        succeeding(COCKATIEL, throughCockatiel(peer(), work)),
        ...Object.entries(others).map(([name, once]) => succeeding(name, once)),
        succeeding(NOTHING, work),
      ],
      serverPid: null,
      close: async () => {},
    }),
  }
}

function succeeding(name: string, once: Work): Contender {
  return {
    name,
    operationsPerRepeat: CALLS_PER_REPEAT,
    run: async (repeats) => {
      for (let index = 0; index < repeats * CALLS_PER_REPEAT; index++) await once()
    },
    verify: async () => requireEqual(name, await once(), 1),
  }
}

function refused(name: string, once: Work): Contender {
  const outcome = (): Promise<unknown> => once().catch(() => 'refused')
  return {
    name,
    operationsPerRepeat: CALLS_PER_REPEAT,
    run: async (repeats) => {
      for (let index = 0; index < repeats * CALLS_PER_REPEAT; index++) await outcome()
    },
    verify: async () => requireEqual(name, await outcome(), 'refused'),
  }
}
