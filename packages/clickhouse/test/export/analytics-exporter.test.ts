import { execFile } from 'node:child_process'
import { mkdtempDisposable, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AnalyticsExporter, createAnalyticsExporter, type ExportFormat } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
let exporter: AnalyticsExporter
let folder: Awaited<ReturnType<typeof mkdtempDisposable>>
beforeAll(async () => {
  database = await ownDatabase()
  exporter = createAnalyticsExporter(database.reader)
  folder = await mkdtempDisposable(join(tmpdir(), 'smart-whale-export-'))
})
afterAll(async () => {
  await database.drop()
  await folder.remove()
})

const FORMATS: readonly ExportFormat[] = ['csv', 'jsonl', 'parquet', 'arrow']
const SERVER_FORMATS = { csv: 'CSVWithNames', jsonl: 'JSONEachRow', parquet: 'Parquet', arrow: 'Arrow' }

describe.each(FORMATS)('an export to %s', (format) => {
  const path = (): string => join(folder.path, format, 'deep', `answer.${format}`)

  it('has every row, in folders that were made for it', async () => {
    await expect(exporter.exportTo(format, 'SELECT number AS n, toString(number) AS word FROM numbers(:count)', { count: 10_000 }, path())).resolves.toBe(true)

    const external = { name: 'exported', columns: [{ name: 'n', type: 'UInt64' }, { name: 'word', type: 'String' }], format: SERVER_FORMATS[format], data: await readFile(path()) }
    const { rows } = await database.owner.execute('SELECT count() AS rows, sum(n) AS sum, uniqExact(word) AS words FROM exported', {}, { external })
    expect(rows).toEqual([{ rows: 10_000n, sum: 49_995_000n, words: 10_000n }])
    expect(await readdir(join(folder.path, format, 'deep'))).toEqual([`answer.${format}`])
  })

  it('without rows writes nothing, and makes no folders', async () => {
    const nowhere = join(folder.path, `${format}-empty`, 'deep', 'answer')

    await expect(exporter.exportTo(format, "SELECT number AS n, 'a\nb' AS `two\nlines` FROM numbers(0)", {}, nowhere)).resolves.toBe(false)
    await expect(stat(join(folder.path, `${format}-empty`))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('that fails half-way leaves what was there before', async () => {
    const before = join(folder.path, `${format}.before`)
    await writeFile(before, 'before')

    // The server breaks the connection behind its exception; a reader who is slower than the server may hear of that alone.
    const query = 'SELECT number, toString(number) AS word, throwIf(number = 800000) AS failed FROM numbers(900000)'
    await expect(exporter.exportTo(format, query, {}, before)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_CLICKHOUSE_(QUERY|CONNECTION)$/) })

    expect(await readFile(before, 'utf8')).toBe('before')
    expect((await readdir(folder.path)).filter((name) => name.includes('partial'))).toEqual([])
  })
})

describe('an exporter', () => {
  it('needs the same memory for an answer of any size', async () => {
    let [highest, looked] = [0, 0]
    const before = held()
    // 72 MB, of which the process is to hold a small part at any time.
    await exporter.exportToCsv("SELECT number, repeat('x', 230) AS text FROM numbers(300000)", {}, join(folder.path, 'large.csv'), {
      onProgress: (bytes) => {
        if (bytes - looked < 8_000_000) return
        looked = bytes
        highest = Math.max(highest, held())
      },
    })

    expect((await stat(join(folder.path, 'large.csv'))).size).toBeGreaterThan(70_000_000)
    expect(looked).toBeGreaterThan(50_000_000)
    expect(highest - before).toBeLessThan(24 * 1024 * 1024)
  })

  it('whose caller leaves ends the query on the server, and leaves no file', async () => {
    const leaving = new AbortController()
    const queryId = `export-${Math.random().toString(36).slice(2)}`
    const path = join(folder.path, 'left.csv')

    const exporting = exporter.exportToCsv("SELECT number, repeat('x', 100) FROM numbers(100000000)", {}, path, { signal: leaving.signal, queryId, onProgress: () => leaving.abort() })

    await expect(exporting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    expect((await readdir(folder.path)).filter((name) => name.includes('left'))).toEqual([])
    await expect.poll(async () => (await database.owner.execute('SELECT count() AS n FROM system.processes WHERE query_id = :queryId', { queryId })).rows[0]).toEqual({ n: 0n })
  })

  it('that runs out of room says so, and leaves no file', async () => {
    const path = join(folder.path, 'full', 'answer.csv')
    const script = join(import.meta.dirname, '../fixtures/export-until-full.ts')
    // A limit on the size of files stands in for a full disk: the write fails half-way all the same.
    const { stdout } = await promisify(execFile)('sh', ['-c', `ulimit -f 64; exec "$0" --conditions=@smart-whale/source "$1" "$2"`, process.execPath, script, path])

    expect(JSON.parse(stdout)).toMatchObject({ code: 'ERR_CLICKHOUSE_EXPORT_FILE', systemCode: 'EFBIG' })
    await expect(stat(join(folder.path, 'full'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('fails before the first byte of a stream when the query does', async () => {
    await expect(exporter.streamAs('jsonl', 'SELECT * FROM nowhere')).rejects.toMatchObject({ code: 'ERR_CLICKHOUSE_UNKNOWN_OBJECT' })
    const { body, contentType } = await exporter.streamAs('jsonl', 'SELECT number AS n FROM numbers(2)')
    let text = ''
    for await (const chunk of body) text += Buffer.from(chunk).toString()
    expect({ text, contentType }).toEqual({ text: '{"n":"0"}\n{"n":"1"}\n', contentType: 'application/x-ndjson' })
  })

  it('refuses a query with a format of its own', async () => {
    await expect(exporter.exportToCsv('SELECT 1 FORMAT JSON', {}, join(folder.path, 'x'))).rejects.toThrow('must not name a format')
  })
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What is held by something; what is only not collected yet is none of it. */
function held(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
