import { silentLogger } from '@smart-whale/interfaces'
import type { LiveMetricEvent } from '../metrics/live/live-events.ts'
import type { FollowOptions } from '../metrics/live/live-options.ts'
import { formatGraphqlError } from './graphql-error.ts'
import type { GraphqlExtension } from './graphql-options.ts'
import { type MetricFieldsOptions, QUESTION, questionOf, readerOf } from './metric-fields.ts'

/** Live metrics over whatever definition. */
export interface FollowableMetrics {
  follow(question: never, options?: FollowOptions): AsyncIterableIterator<LiveMetricEvent, undefined>
}

const TYPES = /* GraphQL */ `
  extend schema { subscription: Subscription }
  type Subscription {
    "The answer to a question over metrics of one source, and from then on what changes in it."
    metrics(metrics: [String!]!, ${QUESTION}, lastVersion: String): LiveMetrics!
  }
  enum LiveMetricsEvent { snapshot change failure }
  type LiveMetrics {
    type: LiveMetricsEvent!
    "Names this state: who comes back with it as lastVersion is told the difference."
    version: String
    "Of a snapshot: the members that tell a row from all others."
    key: [String!]
    "Of a snapshot: all rows, in place of those before."
    rows: [JSON!]
    "Of a change: rows that take the place of those with their key, or are new."
    upserts: [JSON!]
    "Of a change: keys of rows that are no more."
    removals: [JSON!]
    totals: JSON
    truncated: Boolean
    period: JSON
    comparedWith: JSON
    route: JSON
    "Set when the quota is spent and the first answer is one from before."
    degraded: DegradedMetrics
    "Why there is no newer answer; what was told stays."
    failure: JSON
    "When it is asked again."
    retryInMs: Float
  }
`

/**
 * The subscription `metrics`, beside the fields of {@link metricFields}, for `createGraphqlLayer({ extend })`. As there, a question without
 * a grain is asked by day.
 */
export function liveMetricFields(live: FollowableMetrics, fields: GraphqlExtension, options: MetricFieldsOptions = {}): GraphqlExtension {
  return {
    ...fields,
    typeDefs: `${fields.typeDefs ?? ''}\n${TYPES}`,
    permissions: { ...fields.permissions, 'Subscription.metrics': 'analytics:query' },
    costs: { ...fields.costs, 'Subscription.metrics': options.cost ?? 100 },
    subscriptions: {
      ...fields.subscriptions,
      metrics: ({ metrics, lastVersion, ...args }, context) => {
        const last = typeof lastVersion === 'string' ? { lastVersion } : {}
        // A request's budget is for what it asks once; this is asked again and again.
        const { budget: _budget, ...reader } = readerOf(context, options)
        const events = live.follow(questionOf(metrics as string[], args) as never, { ...reader, ...last })
        return toldEvents(events)
      },
    },
  }
}

/** A failure is told as GraphQL tells failures, without what nobody but the log should know. */
async function* toldEvents(events: AsyncIterable<LiveMetricEvent>): AsyncGenerator<unknown, undefined> {
  for await (const event of events) {
    if (event.type !== 'failure') yield event
    else yield { type: event.type, failure: formatGraphqlError(event.error, silentLogger), retryInMs: event.retryInMs }
  }
}
