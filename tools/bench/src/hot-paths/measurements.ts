import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { createPrometheusMetrics } from '@smart-whale/core-monitoring'
import type { Contender, HotPath } from '../hot-path.ts'
import { requireEqual } from '../require-equal.ts'

const PROM_CLIENT = 'prom-client'
const OURS = 'core-monitoring'
const MEASUREMENTS_PER_REPEAT = 10_000
const LABELS = ['method', 'route', 'status']
const ROUTES = ['/analytics', '/metrics-layer/:metric', '/timeseries/:table', '/health']
const STATUSES = [200, 404, 500]

/** What the peer has to offer; the package that it is measured against depends on it. */
interface PromClient {
  Registry: new () => { metrics(): Promise<string> }
  Counter: new (definition: object) => { inc(labels: object): void }
  Histogram: new (definition: object) => { observe(labels: object, value: number): void }
}

type Measure = (labels: { method: string; route: string; status: number }, value: number) => void

/** What it costs to count a request, as a server counts each of its own. */
export const labelledCounter = measurement({
  name: 'labelled-counter',
  title: 'A counter with three labels',
  ours: (metrics) => {
    const counter = metrics.counter({ name: 'requests_total', help: 'Requests', labelNames: LABELS })
    return (labels) => counter.inc(labels)
  },
  theirs: ({ Counter }, registers) => {
    const counter = new Counter({ name: 'requests_total', help: 'Requests', labelNames: LABELS, registers })
    return (labels) => counter.inc(labels)
  },
})

/** What it costs to measure how long a request took. */
export const labelledHistogram = measurement({
  name: 'labelled-histogram',
  title: 'A histogram with three labels and eleven buckets',
  ours: (metrics) => {
    const histogram = metrics.histogram({ name: 'duration_seconds', help: 'Duration', labelNames: LABELS })
    return (labels, value) => histogram.observe(labels, value)
  },
  theirs: ({ Histogram }, registers) => {
    const histogram = new Histogram({ name: 'duration_seconds', help: 'Duration', labelNames: LABELS, registers })
    return (labels, value) => histogram.observe(labels, value)
  },
})

interface Sides {
  readonly name: string
  readonly title: string
  readonly ours: (metrics: ReturnType<typeof createPrometheusMetrics>) => Measure
  readonly theirs: (peer: PromClient, registers: object[]) => Measure
}

function measurement({ name, title, ours, theirs }: Sides): HotPath {
  return {
    name,
    title,
    operation: 'measurement',
    measure: 'client CPU',
    baseline: PROM_CLIENT,
    goals: [{ contender: OURS, against: PROM_CLIENT, speedAtLeast: 8 }],
    open: async () => {
      const peer = createRequire(fileURLToPath(import.meta.resolve('@smart-whale/core-monitoring')))('prom-client') as PromClient
      const registry = new peer.Registry()
      const metrics = createPrometheusMetrics({ defaultMetrics: false })
      const contenders = [
        contender(PROM_CLIENT, theirs(peer, [registry]), () => registry.metrics()),
        contender(OURS, ours(metrics), async () => (await metrics.render()).body),
      ]
      return { contenders, serverPid: null, close: async () => metrics.close() }
    },
  }
}

function contender(name: string, measure: Measure, render: () => Promise<string>): Contender {
  let done = 0
  return {
    name,
    operationsPerRepeat: MEASUREMENTS_PER_REPEAT,
    run: (repeats) => {
      const count = repeats * MEASUREMENTS_PER_REPEAT
      for (let index = 0; index < count; index++) measure({ method: (index & 4) === 0 ? 'POST' : 'GET', route: ROUTES[index & 3] as string, status: STATUSES[index % 3] as number }, (index % 100) / 50)
      done += count
    },
    verify: async () => requireEqual(name, totalOf(await render()), done),
  }
}

/** What the series of the text count together. */
function totalOf(text: string): number {
  return [...text.matchAll(/^(?:requests_total|duration_seconds_count)\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
}
