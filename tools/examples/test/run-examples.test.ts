import { spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')

/** What each example has to print, in this order. */
const EXAMPLES: Readonly<Record<string, readonly RegExp[]>> = {
  'cache/bounded-cache.ts': [/kept as it was: true 2026 bigint/, /a miss is undefined/, /still there: true/, /last ten pages: 10/, /entries: 1000/],
  'operate/back-up-and-expire.ts': [/incremental: 200001 rows/, /full: 200000 rows/, /restored: \{ rows: 200001n \}/, /fault: 'damaged'/, /expired: \d+ rows, \d+ whole partitions/, /codec: ALTER TABLE .*CODEC\(/],
  'operate/export-and-copy.ts': [/rows: 2500,\s+slices: 3,\s+written: 3/, /again: [\s\S]*written: 0/, /"2001-01-01",102\.78/, /as Parquet: \d+ bytes/, /without rows: false/, /application\/x-ndjson:\s+\{"day":"2001-01-01"/],
  'operate/start-and-back-up.ts': [/ClickHouse answers on port \d+/, /ClickHouse, restored: \{ rows: 100000n \}/, /PostgreSQL, restored: 100000 rows/],
  'operate/migrate-and-examine.ts': [/applied: rides, fill/, /on shards: .*Distributed\(/, /drift: rides, column by_hand/, /fare: Nullable\(Float64\), and not one null/, /order-by: .* saves \d\d %/],
  'read/analytics-query.ts': [/'BGO' +│ 59994n  │ 42\.5/, /asked once: miss - asked again: hit/, /after an insert: miss/, /refused: ERR_CLICKHOUSE_PERMISSION_DENIED/],
  'read/from-clickhouse-client.ts': [/client: +\[ \{ id: 9007199254740992,/, /id: 9007199254740993n,[\s\S]*fare: '12\.50'/, /city: 'Moss', rides: 1n/, /adapter: ERR_CLICKHOUSE_QUERY_SYNTAX server code 62/, /through the client: \[ \{ rides: 2n \} \]/],
  'read/metrics-from-cube.ts': [/'2026-01-01' │ 'lost' │ 2880n +│ 1000n/, /rollup main \d+/],
  'read/metrics.ts': [/'hourly' │ 'sw_rollup_hourly_\w+' │ 'made' +│ 100000/, /time: '2026-03-29',\s+orders: 828n/, /answered by the rollup "hourly"/, /'SE' +│ '698786\.00'/, /revenue: '2445675\.00'/, /answered by "orders"/],
  'read/typed-queries.ts': [/code: Column<'String', string>/, /params: \{ p1: 15/, /'OSL'  │ 'Oslo'   │ 4981n/, /T08:00:00\.000Z │ \d+n +│\n.*T09:00:00\.000Z │ 0n/, /'OSL' │ 'Oslo' +│ 971n/, /'SVG' │ null +│ 971n/, /null  │ 'Bergen' │ 0n/, /repeated-condition: /],
  'read/time-series.ts': [/first page: 3 rows; more: true/, /02:00:00\.000Z │ 'north' │ 0n +│ null/, /newest: north 10\.1, south 11\.1/],
  'secure/issue-token.ts': [/alice may query: true, may write: false/, /AUTH_JWKS_FILE=.*jwks\.json/, /authorization: Bearer eyJ/],
  'stream/copy-once.ts': [/invoices: 20 different: 20 lag: 0n/],
  'stream/pipeline.ts': [/stored: 5000, deadLettered: 1, leftOut: 1/, /ClickHouse: \[\s+\{ city: 'BERGEN', rides: 2500n, fare: '31250\.00' \}/, /PostgreSQL: \[\s+\{ city: 'BERGEN', rides: 2500n, fare: '31250\.00' \}/],
  'write/copy-rows.ts': [/stored 50000 rows/, /rows: 50000n, corrected: 100n/],
  'write/insert-with-token.ts': [/stored: \{ rides: 2n, fare: '19\.60' \}/, /refused: row 0 .*"fare"/],
}

async function run(example: string, folder: string): Promise<{ code: number | null; output: string; errors: string }> {
  // The one that leaves files gets a folder; the others make and remove theirs, within this one.
  const args = example.startsWith('secure/') ? [folder] : []
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', join(ROOT, 'examples', example), ...args], { env: { ...process.env, TMPDIR: folder }, timeout: 240_000 })
  let output = ''
  let errors = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, output, errors }
}

describe('the examples', () => {
  it('are all tried here, and short enough to read at once', () => {
    const files = globSync('*/*.ts', { cwd: join(ROOT, 'examples'), exclude: (path) => path.includes('node_modules') })

    expect(files.toSorted()).toEqual(Object.keys(EXAMPLES).toSorted())
    for (const file of files) expect(readFileSync(join(ROOT, 'examples', file), 'utf8').split('\n').length, file).toBeLessThanOrEqual(61)
  })

  it.each(Object.entries(EXAMPLES))('%s prints what it says and ends by itself', async (example, expected) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-example-'))

    const { code, output, errors } = await run(example, folder.path)

    expect(errors).toBe('')
    expect(code).toBe(0)
    let at = 0
    for (const pattern of expected) {
      const found = pattern.exec(output.slice(at))
      expect(found, `${pattern.source} in ${output.slice(at)}`).not.toBeNull()
      at += (found?.index ?? 0) + (found?.[0].length ?? 0)
    }
  })
})
