import { type BalancingStrategy, leastConnections, powerOfTwoChoices, randomChoice, rendezvousHash, roundRobin, weightedRoundRobin } from '@smart-whale/core-resilience'
import { z } from 'zod'

/** Which server a call goes to; see the strategies of `@smart-whale/core-resilience`. */
export type BalancingStrategyName = 'least-connections' | 'round-robin' | 'weighted' | 'random' | 'power-of-two' | 'sticky'

/** How calls are spread over several servers. */
export interface ClickHouseBalancingOptions {
  /** Which server a call goes to; `sticky` keeps calls with the same `stickTo` at their server, the others honour `stickTo` as well. @default 'least-connections' */
  strategy?: BalancingStrategyName | undefined
  /** How long a read may take before it is begun on a second server too, in milliseconds: about the 95th percentile; `false` for never. @default false */
  hedgeAfterMs?: number | false | undefined
  /** Failures in a row, to connect or of the connection, after which a server is left alone until it answers a probe. @default 3 */
  consecutiveFailures?: number | undefined
  /** After how long without a word, in milliseconds, a server with calls under way is asked whether it is there; and how often one that is away is. @default 500 */
  probeEveryMs?: number | undefined
  /** How long the answer to a probe may take, in milliseconds. @default 500 */
  probeTimeoutMs?: number | undefined
}

const milliseconds = z.number().int().positive().max(2 ** 31 - 1)

/** The options of balancing in a checked configuration. */
export const balancingSchema = z
  .strictObject({
    strategy: z.enum(['least-connections', 'round-robin', 'weighted', 'random', 'power-of-two', 'sticky']).default('least-connections'),
    hedgeAfterMs: z.union([milliseconds, z.literal(false)]).default(false),
    consecutiveFailures: z.number().int().positive().default(3),
    probeEveryMs: milliseconds.default(500),
    probeTimeoutMs: milliseconds.default(500),
  })
  .prefault({})

/** Makes the strategy of a name. */
export function strategyOf(name: BalancingStrategyName): BalancingStrategy {
  switch (name) {
    case 'least-connections':
      return leastConnections()
    case 'round-robin':
      return roundRobin()
    case 'weighted':
      return weightedRoundRobin()
    case 'random':
      return randomChoice()
    case 'power-of-two':
      return powerOfTwoChoices()
    case 'sticky':
      return rendezvousHash()
  }
}
