import { spawnSync } from 'node:child_process'
import type { Logger } from '@smart-whale/interfaces'
import { silentLogger } from '@smart-whale/interfaces'
import fc from 'fast-check'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { afterEach, describe, expect, it } from 'vitest'
import { createPrometheusMetrics, type PrometheusMetrics, type PrometheusMetricsOptions } from './index.ts'

const open: PrometheusMetrics[] = []
afterEach(() => {
  for (const metrics of open.splice(0)) metrics.close()
})

/** Any character: fast-check's own `binary` takes seconds to make. */
const anyCharacter = fc.oneof(fc.nat(0x7f), fc.nat(0x10f7ff)).map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800))

function setup(options: PrometheusMetricsOptions = {}) {
  const warnings: { fields: object; message: string | undefined }[] = []
  const warn = ((fields: object, message?: string) => void warnings.push({ fields, message })) as Logger['warn']
  const metrics = createPrometheusMetrics({ defaultMetrics: false, logger: { ...silentLogger, warn }, ...options })
  open.push(metrics)
  /** Series to value, of the metrics whose name begins so. */
  const read = async (name: string): Promise<Record<string, number>> => {
    const { body } = await metrics.render()
    const lines = body.split('\n').filter((line) => line.startsWith(name))
    return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
  }
  return { metrics, warnings, read }
}

describe('prometheus metrics', () => {
  it('render what was counted, set and observed', async () => {
    const { metrics, read } = setup()
    const rows = metrics.counter({ name: 'rows_total', help: 'Rows', labelNames: ['store'] })
    const lag = metrics.gauge({ name: 'lag', help: 'Lag' })
    const time = metrics.histogram({ name: 'time_seconds', help: 'Time', labelNames: ['op'], buckets: [0.1, 1] })

    rows.inc({ store: 'clickhouse' })
    rows.inc({ store: 'clickhouse' }, 9)
    rows.inc({ store: 'timescale' }, 2.5)
    lag.set({}, 7)
    lag.set({}, -3)
    time.observe({ op: 'read' }, 0.5)

    expect(await read('rows_total')).toEqual({ 'rows_total{store="clickhouse"}': 10, 'rows_total{store="timescale"}': 2.5 })
    expect(await read('lag')).toEqual({ lag: -3 })
    expect(await read('time_seconds_bucket')).toEqual({
      'time_seconds_bucket{le="0.1",op="read"}': 0,
      'time_seconds_bucket{le="1",op="read"}': 1,
      'time_seconds_bucket{le="+Inf",op="read"}': 1,
    })
  })

  it('say their content type', async () => {
    expect((await setup().metrics.render()).contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  })

  it('are the same metric when asked for twice', async () => {
    const { metrics, read } = setup()
    const definition = { name: 'rows_total', help: 'Rows', labelNames: ['store'] }

    metrics.counter(definition).inc({ store: 'a' })
    metrics.counter({ ...definition }).inc({ store: 'a' })

    expect(await read('rows_total')).toEqual({ 'rows_total{store="a"}': 2 })
  })

  it('put the prefix before every name', async () => {
    const { metrics } = setup({ prefix: 'acme_', defaultMetrics: true })
    metrics.counter({ name: 'rows_total', help: 'Rows' }).inc()

    const names = (await metrics.render()).body.split('\n').filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2])

    expect(names).toContain('acme_rows_total')
    expect(names.filter((name) => !name?.startsWith('acme_'))).toEqual([])
  })

  it('survive any label value, escaped', async () => {
    const { metrics } = setup({ maxSeriesPerMetric: 10_000 })
    const counter = metrics.counter({ name: 'c_total', help: 'C', labelNames: ['a', 'b'] })
    const values = fc.oneof(fc.string({ unit: anyCharacter }), fc.integer())

    await fc.assert(fc.asyncProperty(values, values, async (a, b) => counter.inc({ a, b })), { numRuns: 200 })

    const lines = (await metrics.render()).body.split('\n').filter((line) => line.startsWith('c_total'))
    for (const line of lines) expect(line).toMatch(/^c_total\{a="(?:[^"\\\n]|\\.)*",b="(?:[^"\\\n]|\\.)*"\} \d+$/su)
  })

  it('take values right before they are rendered, until told not to', async () => {
    const { metrics, read, warnings } = setup()
    const size = metrics.gauge({ name: 'size', help: 'Size' })
    let current = 1
    const stop = metrics.beforeRender(() => size.set({}, (current += 1)))
    metrics.beforeRender(() => expect.fail('broken'))

    expect(await read('size')).toEqual({ size: 2 })
    stop()

    expect(await read('size')).toEqual({ size: 2 })
    expect(warnings).toHaveLength(2)
  })
})

describe('what is rendered', () => {
  const value = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('', 'a', 'b', '5', 'x,y', '__proto__'))
  const kind = fc.constantFrom('counter', 'gauge', 'histogram')
  const step = fc.record({ kind, labels: fc.record({ a: value, b: value }), amount: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.double({ min: 0, max: 4, noNaN: true })) })

  it('is what prom-client renders, to the last character', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.subarray(['a', 'b']), async (steps, labelNames) => {
        const { metrics } = setup({ maxSeriesPerMetric: 10_000 })
        const registry = new Registry()
        const [c, g, h, f] = [{ name: 'c_total', help: 'C', labelNames }, { name: 'g', help: 'G', labelNames }, { name: 'h', help: 'H', labelNames, buckets: [0.5, 1, 2] }, { name: 'metrics_folded_total', help: 'Measurements folded into "other" because their metric has too many series', labelNames: ['metric'] }]
        const theirs = { folded: new Counter({ ...f, registers: [registry] }), counter: new Counter({ ...c, registers: [registry] }), gauge: new Gauge({ ...g, registers: [registry] }), histogram: new Histogram({ ...h, registers: [registry] }) }
        const ours = { counter: metrics.counter(c), gauge: metrics.gauge(g), histogram: metrics.histogram(h) }
        for (const { kind, labels, amount } of steps) {
          const known = Object.fromEntries(labelNames.map((name) => [name, String(labels[name as 'a' | 'b'])]))
          if (kind === 'counter') for (const [counter, values] of [[ours.counter, labels], [theirs.counter, known]] as const) counter.inc(values, amount)
          if (kind === 'gauge') for (const [gauge, values] of [[ours.gauge, labels], [theirs.gauge, known]] as const) gauge.set(values, amount)
          if (kind === 'histogram') for (const [histogram, values] of [[ours.histogram, labels], [theirs.histogram, known]] as const) histogram.observe(values, amount)
        }

        expect((await metrics.render()).body).toBe(await registry.metrics())
      }),
      { numRuns: 100 },
    )
  })

  it('keeps its series when a label comes as a number, as text, or not at all', async () => {
    const { metrics, read } = setup({ maxSeriesPerMetric: 2 })
    const counter = metrics.counter({ name: 'c_total', help: 'C', labelNames: ['a'] })

    for (const a of [5, '5', 5.0, undefined, '', null, 6, {}, {}] as unknown as string[]) counter.inc({ a })

    expect(await read('c_total')).toEqual({ 'c_total{a="5"}': 3, 'c_total{a=""}': 3, 'c_total{a="other"}': 3 })
  })
})

describe('a metric with too many series', () => {
  it('folds further label values into "other", counts them and says so once', async () => {
    const { metrics, read, warnings } = setup({ maxSeriesPerMetric: 3 })
    const counter = metrics.counter({ name: 'hits_total', help: 'Hits', labelNames: ['user', 'zone'] })

    for (let user = 0; user < 10; user += 1) counter.inc({ user, zone: 'z' })
    counter.inc({ user: 1, zone: 'z' })

    expect(await read('hits_total')).toEqual({
      'hits_total{user="0",zone="z"}': 1,
      'hits_total{user="1",zone="z"}': 2,
      'hits_total{user="2",zone="z"}': 1,
      'hits_total{user="other",zone="other"}': 7,
    })
    expect(await read('metrics_folded_total')).toEqual({ 'metrics_folded_total{metric="hits_total"}': 7 })
    expect(warnings).toEqual([{ fields: { metric: 'hits_total', maxSeriesPerMetric: 3 }, message: expect.stringContaining('too many series') as string }])
  })

  it('never loses a count, whatever comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(30), fc.nat(3)), { maxLength: 200 }), fc.integer({ min: 1, max: 12 }), async (hits, max) => {
        const { metrics, read } = setup({ maxSeriesPerMetric: max })
        const counter = metrics.counter({ name: 'hits_total', help: 'Hits', labelNames: ['a', 'b'] })
        for (const [a, b] of hits) counter.inc({ a, b })

        const series = Object.values(await read('hits_total'))

        expect(series.reduce((sum, value) => sum + value, 0)).toBe(hits.length)
        expect(series.length).toBeLessThanOrEqual(max + 1)
      }),
      { numRuns: 50 },
    )
  })
})

describe('measuring never throws', () => {
  it.each([Number.NaN, Infinity, -Infinity, -1, '7' as unknown as number])('a counter drops %s and says so once', async (value) => {
    const { metrics, read, warnings } = setup()
    const counter = metrics.counter({ name: 'c_total', help: 'C' })

    counter.inc({}, value)
    counter.inc({}, value)
    counter.inc()

    expect(await read('c_total')).toEqual({ c_total: 1 })
    expect(warnings).toHaveLength(1)
  })

  it('gauges and histograms drop what is no number', async () => {
    const { metrics, read } = setup()

    metrics.gauge({ name: 'g', help: 'G' }).set({}, Number.NaN)
    metrics.histogram({ name: 'h', help: 'H' }).observe({}, Number.NaN)

    expect(await read('g')).toEqual({ g: 0 })
    expect(await read('h_count')).toEqual({ h_count: 0 })
  })

  it('unknown labels are left out, missing ones are empty', async () => {
    const { metrics, read } = setup()

    metrics.counter({ name: 'c_total', help: 'C', labelNames: ['a'] }).inc({ b: 'x' })

    expect(await read('c_total')).toEqual({ 'c_total{a=""}': 1 })
  })
})

describe('a definition', () => {
  it.each([
    ['a name that Prometheus refuses', { name: 'rows-total', help: 'x' }, 'name'],
    ['no help', { name: 'rows', help: '' }, 'help'],
    ['a malformed label', { name: 'rows', help: 'x', labelNames: ['a b'] }, 'labelNames'],
    ['a reserved label', { name: 'rows', help: 'x', labelNames: ['le'] }, 'labelNames'],
    ['the same label twice', { name: 'rows', help: 'x', labelNames: ['a', 'a'] }, 'labelNames'],
    ['buckets in disorder', { name: 'rows', help: 'x', buckets: [1, 0.5] }, 'buckets'],
  ])('with %s is refused', (_case, definition, field) => {
    const { metrics } = setup()

    expect(() => metrics.histogram(definition)).toThrow(
      expect.objectContaining({ code: 'ERR_MONITORING_METRIC', issues: [expect.objectContaining({ path: [field] })] }),
    )
  })

  it('whose name another metric has is refused', () => {
    const registry = new Registry()
    new Counter({ name: 'foreign', help: 'x', registers: [registry] }).inc()
    const { metrics } = setup({ registry })
    metrics.counter({ name: 'rows', help: 'x', labelNames: ['a'] })
    const refusal = expect.objectContaining({ code: 'ERR_MONITORING_METRIC_CONFLICT' }) as Error

    expect(() => metrics.gauge({ name: 'rows', help: 'x', labelNames: ['a'] })).toThrow(refusal)
    expect(() => metrics.counter({ name: 'rows', help: 'x' })).toThrow(refusal)
    expect(() => metrics.counter({ name: 'foreign', help: 'x' })).toThrow(refusal)
  })

  it.each([{ maxSeriesPerMetric: 0 }, { maxSeriesPerMetric: Number.NaN }, { prefix: '7_' }])('option %j is refused', (options) => {
    expect(() => setup(options)).toThrow(expect.objectContaining({ code: 'ERR_MONITORING_OPTIONS' }))
  })
})

describe('metrics of the process', () => {
  it('tell CPU, memory, event loop and garbage collection', async () => {
    const { read } = setup({ defaultMetrics: true })
    const pauses = async (): Promise<number> => {
      JSON.stringify(Array.from({ length: 100_000 }, (_, index) => ({ index })))
      return Object.values(await read('nodejs_gc_duration_seconds_count')).reduce((sum, count) => sum + count, 0)
    }
    await expect.poll(pauses).toBeGreaterThan(0)

    const { process_resident_memory_bytes: resident } = await read('process_resident_memory_bytes')
    const cpu = await read('process_cpu_user_seconds_total')
    const utilization = await read('nodejs_eventloop_utilization_ratio')

    expect(resident).toBeGreaterThan(10_000_000)
    expect(Math.abs((cpu['process_cpu_user_seconds_total'] ?? 0) - process.cpuUsage().user / 1e6)).toBeLessThan(1)
    expect(utilization['nodejs_eventloop_utilization_ratio']).toBeGreaterThanOrEqual(0)
    expect(Object.keys(await read('nodejs_eventloop_lag'))).toHaveLength(4)
    expect(Object.values(await read('nodejs_version_info'))).toEqual([1])
  })

  it('see the event loop being blocked, also by what held the scrape itself up, once', async () => {
    const { metrics, read } = setup({ defaultMetrics: true })
    const maxLag = async (): Promise<number | undefined> => (await read('nodejs_eventloop_lag_max_seconds'))['nodejs_eventloop_lag_max_seconds']
    await metrics.render()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000)

    const seen = [await maxLag(), await maxLag()]

    expect(seen[0]).toBeGreaterThan(0.9)
    expect(seen[1]).toBeLessThan(0.9)
  })

  it('let the process end, closed or not, and are still rendered after close', () => {
    const script = `
      import { createPrometheusMetrics } from '@smart-whale/core-monitoring'
      const metrics = createPrometheusMetrics()
      if (process.argv.includes('close')) metrics.close()
      process.stdout.write(String((await metrics.render()).body.includes('process_resident_memory_bytes')))
    `
    const run = (...words: string[]) =>
      spawnSync(process.execPath, ['--conditions=@smart-whale/source', '--input-type=module', '-e', script, ...words], {
        cwd: new URL('..', import.meta.url),
        timeout: 60_000,
        encoding: 'utf8',
      })

    expect([run(), run('close')].map(({ status, stdout }) => ({ status, stdout }))).toEqual([
      { status: 0, stdout: 'true' },
      { status: 0, stdout: 'true' },
    ])
  })

  it('stop with close', async () => {
    const { metrics, read } = setup({ defaultMetrics: true })
    metrics.close()
    metrics.close()
    const before = await read('process_cpu_user_seconds_total')
    const busyUntil = performance.now() + 30
    while (performance.now() < busyUntil);

    expect(await read('process_cpu_user_seconds_total')).toEqual(before)
  })
})
