import { FakeClock } from '@smart-whale/interfaces/testing'
import fc from 'fast-check'
import {
  type ClickHouseAdapter,
  createAnalyticsService,
  createMetricsLayer,
  createRollupManager,
  defineMetrics,
  type Grain,
  type MetricQuestion,
  type MetricsLayer,
  type RowFilter,
} from '../../src/index.ts'

/** What was found over many random questions. */
export interface RewritingFindings {
  readonly questions: number
  /** Answers of each rollup that were compared. */
  readonly byRollup: Readonly<Record<string, number>>
  /** Questions that no rollup could answer. */
  readonly rawOnly: number
  /** The first few answers of a rollup that differ from the source's. */
  readonly differences: readonly string[]
}

/** What is to be asked, and of whom. */
export interface RewritingRun {
  readonly owner: ClickHouseAdapter
  /** How many data sets, and how many questions of each. */
  readonly sets: number
  readonly questions: number
  readonly rows: number
  readonly seed: number
  /** Which of the rollups are made; all of them by default. */
  readonly only?: readonly RollupName[]
}

const ZONES = ['UTC', 'Europe/Oslo', 'Asia/Kolkata', 'Asia/Kathmandu', 'America/St_Johns', 'Australia/Lord_Howe', 'America/Sao_Paulo']
const GRAINS: readonly Grain[] = ['minute', 'fifteen_minutes', 'hour', 'day', 'week', 'month', 'quarter', 'year']
const DAY_MS = 86_400_000
/** Clocks are put forward in Norway on 29 March 2026, and back on Lord Howe by half an hour on 5 April. */
const FIRST_DAY = Date.UTC(2026, 2, 20)
const DAYS = 24
const NOW = Date.UTC(2026, 3, 9, 12, 34)

const definition = {
  sources: { visits: { table: 'visits', time: 'at' } },
  dimensions: {
    country: { source: 'visits' },
    device: { source: 'visits' },
    size: { source: 'visits', of: { sql: 'intDiv(amount, 40)' } },
    tenant: { source: 'visits', of: 'tenant_id' },
  },
  metrics: {
    visits: { source: 'visits', measure: 'count' },
    total: { source: 'visits', measure: 'sum', of: 'amount' },
    price: { source: 'visits', measure: 'sum', of: 'price' },
    least: { source: 'visits', measure: 'min', of: 'amount' },
    most: { source: 'visits', measure: 'max', of: 'price' },
    mean: { source: 'visits', measure: 'avg', of: 'amount' },
    users: { source: 'visits', measure: 'uniq', of: 'user' },
    exact_users: { source: 'visits', measure: 'uniqExact', of: 'user' },
    median: { source: 'visits', measure: 'quantile', of: 'amount', level: 0.5 },
    p95: { source: 'visits', measure: 'quantile', of: 'amount', level: 0.95, accuracy: 0.01 },
    phone_visits: { source: 'visits', measure: 'count', where: { device: 'phone' } },
    phone_total: { source: 'visits', measure: 'sum', of: 'amount', where: { device: 'phone' } },
    least_abroad: { source: 'visits', measure: 'min', of: 'amount', where: { country: { not: 'NO' } } },
    users_of_two: { source: 'visits', measure: 'uniqExact', of: 'user', where: { country: ['NO', 'SE'], device: { not: 'tv' } } },
    phone_share: { measure: 'ratio', of: 'phone_visits', per: 'visits' },
    per_user: { measure: 'formula', formula: '(total - phone_total) / exact_users * 2' },
  },
} as const

const METRICS = Object.keys(definition.metrics) as (keyof typeof definition.metrics)[]
const DIMENSIONS = Object.keys(definition.dimensions) as (keyof typeof definition.dimensions)[]
const ROLLUPS = {
  hours: { source: 'visits', grain: 'hour', dimensions: ['country', 'device', 'tenant', 'size'], metrics: METRICS },
  quarters_of_hours: { source: 'visits', grain: 'fifteen_minutes', dimensions: ['country', 'device'], metrics: METRICS },
  days: { source: 'visits', grain: 'day', dimensions: ['country', 'tenant'], metrics: METRICS },
  days_in_oslo: { source: 'visits', grain: 'day', timeZone: 'Europe/Oslo', dimensions: ['country', 'device'], metrics: METRICS },
  weeks_in_india: { source: 'visits', grain: 'week', timeZone: 'Asia/Kolkata', dimensions: ['device'], metrics: METRICS },
} as const

type RollupName = keyof typeof ROLLUPS
const ROLLUP_NAMES = Object.keys(ROLLUPS) as RollupName[]
type Question = MetricQuestion<(typeof METRICS)[number], (typeof DIMENSIONS)[number]>

/** Asks random questions about random rows of each rollup by itself, and of the source: whoever answers must answer the same. */
export async function checkRewriting({ owner, sets, questions, rows, seed, only = ROLLUP_NAMES }: RewritingRun): Promise<RewritingFindings> {
  const service = createAnalyticsService(owner, { cache: false })
  const byRollup: Record<string, number> = {}
  const differences: string[] = []
  let rawOnly = 0
  for (let set = 0; set < sets; set++) {
    const layers = await fillAndRollUp(owner, service, { rows, seed: seed + set, only })
    const asked = fc.sample(questionOf(), { seed: seed * 1000 + set, numRuns: questions })
    for (const { question, rowFilter } of asked) {
      const found = await compareAnswers(layers, question, rowFilter)
      rawOnly += found.rollups.length === 0 ? 1 : 0
      for (const name of found.rollups) byRollup[name] = (byRollup[name] ?? 0) + 1
      differences.push(...found.differences)
    }
  }
  await service.close()
  return { questions: sets * questions, byRollup, rawOnly, differences: differences.slice(0, 5) }
}

type Layers = ReadonlyMap<string, MetricsLayer>

/** Half of the rows are there before the rollups are made, half of them come through the views. */
async function fillAndRollUp(
  owner: ClickHouseAdapter,
  analyticsService: ReturnType<typeof createAnalyticsService>,
  { rows, seed, only }: Required<Pick<RewritingRun, 'rows' | 'seed' | 'only'>>,
): Promise<Layers> {
  const everything = defineMetrics({ ...definition, rollups: ROLLUPS })
  const manager = createRollupManager(everything, { adapter: owner })
  await owner.execute(
    `CREATE TABLE IF NOT EXISTS visits (at DateTime64(3, 'UTC'), tenant_id LowCardinality(String), country LowCardinality(Nullable(String)), device String,
      user UInt32, amount Nullable(Int32), price Decimal(18, 4)) ENGINE = MergeTree ORDER BY at`,
  )
  await manager.drop()
  await owner.execute('TRUNCATE TABLE visits')
  await insertVisits(owner, Math.ceil(rows / 2), seed)
  await manager.apply({ only })
  await insertVisits(owner, Math.floor(rows / 2), seed + 500_000)
  return new Map(
    only.map((name) => {
      const metrics = defineMetrics({ ...definition, rollups: { [name]: ROLLUPS[name] } })
      return [name, createMetricsLayer(metrics, { analyticsService, adapter: owner, clock: new FakeClock({ startMs: NOW }) }) as never]
    }),
  )
}

/** Rows that crowd where days begin, with nulls in what may be null. */
async function insertVisits(owner: ClickHouseAdapter, rows: number, seed: number): Promise<void> {
  await owner.execute(
    `INSERT INTO visits WITH cityHash64(number, {seed:UInt64}) AS r SELECT
      fromUnixTimestamp64Milli(toInt64({first:Int64} + if(r % 3 = 0, intDiv(r, 7) % ({days:UInt32} * 96) * 900000 - (r % 2), intDiv(r, 7) % ({days:UInt32} * 86400000))), 'UTC'),
      ['a', 'b', 'c'][1 + intDiv(r, 11) % 3], [NULL, 'NO', 'SE', 'DK', ''][1 + intDiv(r, 13) % 5], ['phone', 'tv', 'desk'][1 + intDiv(r, 17) % 3],
      intDiv(r, 19) % 60, if(intDiv(r, 23) % 9 = 0, NULL, toInt32(intDiv(r, 29) % 200) - 50), toDecimal64(intDiv(r, 31) % 100000, 4) / 16 FROM numbers({rows:UInt64})`,
    { seed, first: FIRST_DAY, days: DAYS, rows },
  )
}

async function compareAnswers(layers: Layers, question: Question, rowFilter: RowFilter | undefined): Promise<{ rollups: string[]; differences: string[] }> {
  const able: string[] = []
  for (const [name, layer] of layers) if ((await layer.explain(question, { rowFilter })).route.source === 'rollup') able.push(name)
  const [first] = able
  if (first === undefined) return { rollups: [], differences: [] }
  const [raw, ...answers] = await Promise.all([
    (layers.get(first) as MetricsLayer).ask({ ...question, route: 'raw' }, { rowFilter }),
    ...able.map((name) => (layers.get(name) as MetricsLayer).ask(question, { rowFilter })),
  ])
  const expected = comparable(raw)
  const differences = answers.flatMap((answer, index) => {
    const found = comparable(answer)
    return found === expected ? [] : [`${able[index]} answers ${found.slice(0, 2000)}, the source ${expected.slice(0, 2000)}, when asked ${JSON.stringify(question)} ${JSON.stringify(rowFilter?.('visits') ?? null)}`]
  })
  return { rollups: able, differences }
}

function comparable({ rows, totals, truncated }: Awaited<ReturnType<MetricsLayer['ask']>>): string {
  return JSON.stringify({ rows, totals, truncated }, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}

/** Questions that mean something: periods often begin where days do, and filters name values that are there. */
function questionOf(): fc.Arbitrary<{ readonly question: Question; readonly rowFilter: RowFilter | undefined }> {
  const zone = fc.constantFrom(...ZONES)
  const day = fc.integer({ min: -1, max: DAYS + 1 })
  const shift = fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.integer({ min: 0, max: 95 }).map((quarter) => quarter * 900_000) }, fc.integer({ min: 0, max: DAY_MS }))
  const local = fc.tuple(day, shift).map(([days, ms]) => new Date(FIRST_DAY + days * DAY_MS + ms).toISOString().slice(0, 23))
  const named = fc.constantFrom('today', 'last_week', 'last_month', 'this_year', 'last_7_days', 'last_2_weeks', 'last_24_hours')
  const condition = {
    country: fc.constantFrom('NO', null, ['NO', ''], { not: 'SE' }, { not: null }, { startsWith: 'N' }, { gte: 'NO' }),
    device: fc.constantFrom('phone', ['tv', 'desk'], { contains: 'e' }, 'none'),
    size: fc.constantFrom(0, [1, 2], { gte: 1, lt: 4 }, null),
    tenant: fc.constantFrom('a', { not: ['a', 'b'] }),
  }
  const shaped = fc.record({
    metrics: fc.shuffledSubarray([...METRICS], { minLength: 1, maxLength: 6 }),
    time: fc.oneof(
      { weight: 4, arbitrary: fc.tuple(local, local).filter(([one, other]) => one !== other).map(([one, other]) => (one < other ? { from: one, to: other } : { from: other, to: one })) },
      named.map((period) => ({ period })),
    ),
    timeZone: fc.oneof({ weight: 2, arbitrary: fc.constantFrom(undefined, 'Europe/Oslo', 'Asia/Kolkata') }, { weight: 1, arbitrary: zone }),
    grain: fc.option(fc.constantFrom(...GRAINS), { nil: undefined }),
    by: fc.oneof({ weight: 3, arbitrary: fc.shuffledSubarray(['country', 'device'] as const) }, { weight: 1, arbitrary: fc.shuffledSubarray([...DIMENSIONS], { maxLength: 2 }) }),
    where: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.record(condition, { requiredKeys: [] }).map((where) => Object.fromEntries(Object.entries(where).slice(0, 2))) }),
    top: fc.option(fc.record({ n: fc.integer({ min: 1, max: 4 }), by: fc.constantFrom(...METRICS), other: fc.boolean() }), { nil: undefined, freq: 2 }),
    compare: fc.option(fc.constantFrom('previous_period', 'previous_year'), { nil: undefined, freq: 2 }),
    fillGaps: fc.boolean(),
    totals: fc.boolean(),
    limit: fc.constantFrom(undefined, undefined, 3),
    tenant: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom('a', ['b', 'c'], []) }),
  })
  // Weeks of another zone meet by chance only.
  const weekly = fc.tuple(shaped, fc.constantFrom('last_week', 'last_2_weeks', 'last_3_weeks'), fc.constantFrom([], ['device'] as const)).map(([question, period, by]) => ({
    ...question,
    time: { period },
    timeZone: 'Asia/Kolkata',
    grain: 'week' as const,
    by: [...by],
    where: {},
    tenant: undefined,
  }))
  return fc
    .oneof({ weight: 14, arbitrary: shaped }, { weight: 1, arbitrary: weekly })
    .map(({ time, tenant, by, top, grain, fillGaps, limit, ...rest }) => {
      // Minutes of three weeks are more than a question may have; gaps between them more than an answer may.
      const short = grain === 'minute' || grain === 'fifteen_minutes'
      const question = {
        ...rest,
        ...time,
        by,
        grain: grain === 'minute' && !('period' in time && time.period === 'today') ? undefined : grain === 'fifteen_minutes' && 'period' in time && time.period === 'this_year' ? 'hour' : grain,
        top: by.length === 0 ? undefined : top,
        fillGaps: fillGaps && !short && limit === undefined,
        limit,
      } as Question
      return { question, rowFilter: tenant === undefined ? undefined : () => [{ column: 'tenant_id', is: tenant }] }
    })
}
