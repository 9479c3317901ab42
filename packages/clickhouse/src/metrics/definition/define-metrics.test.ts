import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkDefinition } from './check-definition.ts'
import { defineMetrics } from './define-metrics.ts'
import { metricsIn, parseFormula } from './formula.ts'
import { readMetrics } from './read-metrics.ts'

const valid = {
  sources: { orders: { table: 'app.orders', time: 'created_at' }, days: { table: 'days', time: 'day', timeType: 'date' } },
  dimensions: { country: { source: 'orders' }, large: { source: 'orders', of: { sql: 'amount > 100' } }, weekday: { source: 'days' } },
  metrics: {
    orders: { source: 'orders', measure: 'count' },
    revenue: { source: 'orders', measure: 'sum', of: 'amount', where: { country: ['NO', 'SE'] } },
    basket: { measure: 'ratio', of: 'revenue', per: 'orders' },
    percent: { measure: 'formula', formula: '(basket - 1) * 100' },
    visits: { source: 'days', measure: 'sum', of: 'n' },
  },
  rollups: { hourly: { source: 'orders', grain: 'hour', dimensions: ['country'], metrics: ['orders', 'basket'] } },
} as const

/** The definition with one place changed. */
function changed(path: readonly string[], value: unknown): unknown {
  const copy = structuredClone(valid) as Record<string, unknown>
  const parent = path.slice(0, -1).reduce((at, step) => at[step] as Record<string, unknown>, copy)
  parent[path.at(-1) as string] = value
  return copy
}

describe('a definition', () => {
  it('knows what its metrics come down to', () => {
    const { model } = defineMetrics(valid)

    expect(model.metrics.get('percent')).toMatchObject({ kind: 'computed', source: 'orders', measures: ['revenue', 'orders'] })
    expect([...(model.metrics.get('orders')?.dimensions ?? [])]).toEqual(['country', 'large'])
    expect(model.rollups.get('hourly')).toMatchObject({ timeZone: 'UTC', measures: ['orders', 'revenue'] })
  })

  it.each([
    [['metrics', 'orders', 'source'], 'shops', 'metrics.orders.source: there is no source "shops"'],
    [['metrics', 'orders', 'measure'], 'median', 'metrics.orders.measure: Invalid'],
    [['metrics', 'orders', 'dimensions'], ['weekday'], 'metrics.orders.dimensions.0: the source "orders" has no dimension "weekday"'],
    [['metrics', 'revenue', 'where'], { city: 'Oslo' }, 'metrics.revenue.where.city: the source "orders" has no dimension "city"'],
    [['metrics', 'revenue', 'unit'], 'NOK', 'metrics.revenue.unit: is not known here'],
    [['metrics', 'country'], { source: 'orders', measure: 'count' }, 'metrics.country: is the name of a dimension'],
    [['metrics', 'time'], { source: 'orders', measure: 'count' }, 'metrics.time: is the name'],
    [['metrics', 'basket', 'per'], 'baskets', 'metrics.basket.of: there is no metric "baskets"'],
    [['metrics', 'basket', 'per'], 'visits', 'metrics.basket.of: its metrics read different sources (orders, days)'],
    [['metrics', 'basket', 'per'], 'percent', 'is computed of itself'],
    [['metrics', 'percent', 'formula'], '1 + ; DROP', 'metrics.percent.formula: has ";"'],
    [['metrics', 'percent', 'formula'], '1 + 2', 'metrics.percent.formula: names no metric'],
    [['dimensions', 'weekday', 'source'], 'weeks', 'dimensions.weekday.source: there is no source "weeks"'],
    [['sources', 'orders', 'table'], 'orders; DROP TABLE x', 'sources.orders.table: must be table or database.table'],
    [['rollups', 'hourly', 'timeZone'], 'Oslo', 'rollups.hourly.timeZone: must be the name of a time zone'],
    [['rollups', 'hourly', 'metrics'], ['visits'], 'rollups.hourly.metrics.0: the source "orders" has no metric "visits"'],
    [['rollups', 'hourly', 'source'], 'days', 'rollups.hourly.grain: the source "days" has days as they stand'],
  ])('that is wrong at %j is refused where it is wrong', (path, value, message) => {
    expect(() => checkDefinition(changed(path, value))).toThrow(expect.objectContaining({ code: 'ERR_CLICKHOUSE_METRIC_DEFINITION', message: expect.stringContaining(message) as string }))
  })

  it('does not compile where it names what it does not have', () => {
    const wrongSource = { ...valid, dimensions: { country: { source: 'shops' } } } as const
    const rollups = { daily: { source: 'orders', grain: 'day', metrics: ['sales'] } } as const

    // @ts-expect-error there is no source "shops"
    expect(() => defineMetrics(wrongSource)).toThrow(/shops/)
    // @ts-expect-error there is no metric "sales"
    expect(() => defineMetrics({ ...valid, rollups })).toThrow(/sales/)
  })

  it.each([
    ['metrics.yaml', 'sources:\n  orders: { table: orders, time: at }\ndimensions: {}\nmetrics:\n  orders: { source: orders, measure: count, description: all of them }\n'],
    ['metrics.json', '{"sources":{"orders":{"table":"orders","time":"at"}},"dimensions":{},"metrics":{"orders":{"source":"orders","measure":"count","description":"all of them"}}}'],
  ])('is read from %s', async (name, text) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'metrics-'))
    const file = join(folder.path, name)
    await writeFile(file, text)

    const { model } = await readMetrics(file)

    expect(model.metrics.get('orders')).toMatchObject({ measure: 'count', description: 'all of them' })
    await writeFile(file, text.replace('count', 'amount'))
    await expect(readMetrics(file)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_METRIC_DEFINITION', message: expect.stringMatching(/metrics\.(yaml|json): metrics: metrics\.orders\.measure/) as string })
    await writeFile(file, '{ sources: [')
    await expect(readMetrics(file)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_METRIC_DEFINITION' })
    await expect(readMetrics(`${file}.gone`)).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_METRIC_DEFINITION' })
  })
})

describe('a formula', () => {
  it('binds products before sums, and brackets before both', () => {
    expect(parseFormula('a + b * (c - 2) / 4.5')).toMatchObject({ operator: '+', left: { name: 'a' }, right: { operator: '/', left: { operator: '*' }, right: { value: 4.5 } } })
    expect(metricsIn(parseFormula('a + b * (c - 2)') as never)).toEqual(['a', 'b', 'c'])
  })

  it.each(['', 'a +', '(a', 'a b', 'a)', '* a', 'a ** b', "a'", 'a; b'])('is not "%s"', (text) => {
    expect(parseFormula(text)).toHaveProperty('problem')
  })
})
