import { compose, createBreaker, createRetry, createTimeout } from '@smart-whale/core-resilience'
import type { Contender, HotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const NOTHING = 'nothing around the call'
const COMPOSED = 'retry, breaker and timeout'
const CALLS_PER_REPEAT = 1_000

/** What three policies cost a call that succeeds. */
export const composedPolicies: HotPath = {
  name: 'composed-policies',
  title: 'Policies around a call that succeeds',
  operation: 'call',
  measure: 'client CPU',
  baseline: NOTHING,
  goals: [],
  open: async () => {
    const name = 'bench'
    const policy = compose(createRetry({ name }), createBreaker({ name }), createTimeout({ timeoutMs: 1_000 }))
    const call = async (): Promise<number> => 1
    const contender = (contenderName: string, once: () => Promise<number>): Contender => ({
      name: contenderName,
      operationsPerRepeat: CALLS_PER_REPEAT,
      run: async (repeats) => {
        for (let index = 0; index < repeats * CALLS_PER_REPEAT; index++) await once()
      },
      verify: async () => requireEqual(contenderName, await once(), 1),
    })
    return { contenders: [contender(NOTHING, call), contender(COMPOSED, () => policy.execute(call))], serverPid: null, close: async () => {} }
  },
}
