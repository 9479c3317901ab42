import type { BenchEngines, BenchSize, HotPath, OpenHotPath } from '../hot-path.ts'
import { POINTS, POINTS_DOCUMENT, POINTS_QUERY } from '../http/points.ts'
import { type Exchange, startHttpContender } from '../http/start-server.ts'

const API = 'analytics API: token, permission, limits, headers, measurements, cache'
const BARE = 'Fastify with one route'
const LAYER = 'GraphQL layer, with limits of depth, cost and aliases'
const GRAPHQL_JS = 'graphql-js over node:http'

const WARM_UP_REPEATS = 60

/** What everything around a handler costs. */
export const restAnswer: HotPath = {
  name: 'rest-answer',
  title: 'REST: 50 points of 5 fields, kept in the cache',
  operation: 'request',
  measure: 'client CPU',
  baseline: BARE,
  goals: [{ contender: API, against: BARE, speedAtLeast: 0.8 }],
  open: (engines, size) =>
    openServers({ engines, size }, { [API]: 'analytics-api', [BARE]: 'bare-fastify' }, {
      path: '/analytics',
      body: JSON.stringify({ query: POINTS_QUERY }),
      pointsOf: (answer) => (answer as { data: unknown }).data,
      points: POINTS,
    }),
}

/** A document that comes again and again, as a page sends it. */
export const graphqlAnswer: HotPath = {
  name: 'graphql-answer',
  title: 'GraphQL: 50 points of 5 fields',
  operation: 'request',
  measure: 'client CPU',
  baseline: GRAPHQL_JS,
  goals: [{ contender: LAYER, against: GRAPHQL_JS, speedAtLeast: 2.5 }],
  open: (engines, size) =>
    openServers({ engines, size }, { [LAYER]: 'graphql-layer', [GRAPHQL_JS]: 'graphql-js' }, {
      path: '/graphql',
      body: JSON.stringify({ query: POINTS_DOCUMENT }),
      pointsOf: (answer) => (answer as { data: { points: unknown } }).data.points,
      points: POINTS,
    }),
}

async function openServers({ engines, size }: { engines: BenchEngines; size: BenchSize }, programs: Readonly<Record<string, string>>, exchange: Exchange): Promise<OpenHotPath> {
  const contenders = await Promise.all(Object.entries(programs).map(([name, program]) => startHttpContender(name, program, engines, exchange)))
  // A server is compiled by what it does, and has done little in the rounds before those that count.
  if (size === 'full') for (const contender of contenders) await contender.run(WARM_UP_REPEATS)
  return { contenders, serverPid: null, close: async () => void (await Promise.all(contenders.map((contender) => contender.stop()))) }
}
