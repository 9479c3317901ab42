import type { Policy, PolicyCall, PolicyContext } from '@smart-whale/interfaces'
import { Reading } from './reading.ts'
import { Run } from './run.ts'
import type { Stage } from './stage.ts'

/** Work as a policy is handed it. */
export type Work<T> = (context: PolicyContext) => Promise<T>

/** Stages in a row, made once; what a run needs to know of them is worked out here and not for each call. */
export interface Chain {
  readonly stages: readonly Stage[]
  /** Whether each stage is passed over as long as nothing fails. */
  readonly passive: readonly boolean[]
  /** Whether there is one stage, as in a policy by itself. */
  readonly isSingle: boolean
  /** A policy that can't be fused, and what is below it; undefined when the work itself is below the stages. */
  readonly inner: (<T>(work: Work<T>, context: PolicyContext) => Promise<T>) | undefined
  readonly canAbandon: boolean
  readonly judgesResults: boolean
  readonly retries: boolean
  readonly isAmbient: boolean
  /** What is done, for messages. */
  readonly what: string
  readonly reading: Reading
}

/** A policy made of stages; {@link fuse} joins several to one. `F` is what a stage may answer in place of the work. */
export class FusedPolicy<F = never> {
  readonly #chain: Chain

  constructor(chain: Chain) {
    this.#chain = chain
  }

  static chainOf(policy: unknown): Chain | undefined {
    return policy instanceof FusedPolicy ? policy.#chain : undefined
  }

  execute<T>(work: Work<T>, call?: PolicyCall): Promise<T | F> {
    return new Run(this.#chain, work, call).start()
  }
}

/** The chain of stages around work, or around a policy that can't be fused. */
export function chainOf(stages: readonly Stage[], inner?: Chain['inner'], what = 'the operation'): Chain {
  return {
    stages,
    passive: stages.map(({ isPassive }) => isPassive),
    isSingle: stages.length === 1,
    inner,
    canAbandon: stages.some((stage) => stage.canAbandon),
    judgesResults: stages.some((stage) => stage.judgesResults),
    retries: stages.some((stage) => stage.retries),
    isAmbient: stages.some((stage) => stage.isAmbient),
    what,
    reading: new Reading(),
  }
}

/** One chain out of the policies of several, the first outermost; chains within chains are taken apart. */
export function fuse(policies: readonly Policy[]): Chain {
  const stages: Stage[] = []
  let what: string | undefined
  for (const [index, policy] of policies.entries()) {
    const chain = FusedPolicy.chainOf(policy)
    if (chain === undefined) return chainOf(stages, around(policy, policies.slice(index + 1)), what)
    what ??= chain.stages.length > 0 ? chain.what : undefined
    stages.push(...chain.stages)
    if (chain.inner !== undefined) return chainOf(stages, below(chain.inner, policies.slice(index + 1)), what)
  }
  return chainOf(stages, undefined, what)
}

function around(policy: Policy, rest: readonly Policy[]): NonNullable<Chain['inner']> {
  return below((work, context) => policy.execute(work, context), rest)
}

function below(inner: NonNullable<Chain['inner']>, rest: readonly Policy[]): NonNullable<Chain['inner']> {
  if (rest.length === 0) return inner
  const last = new FusedPolicy(fuse(rest))
  return (work, context) => inner((given) => last.execute(work, given), context)
}
