import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter, QueryOptions } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import type { BackupStore } from './backup-store.ts'
import { type BackupMethod, type CopyTask, dataFolder, type RestoreTask } from './backup-method.ts'
import type { BackupManifest } from './manifest.ts'
import { stopMerges } from './native-method.ts'
import { quotedNameOf, type TableFacts } from './table-facts.ts'
import { readWhole } from './verify-backup.ts'

/** Types that Parquet gives back otherwise, or not at all; the test of the export shows each of the others to come back as it was. */
const NOT_IN_PARQUET = /\b(?:AggregateFunction|JSON|Object|Variant|Dynamic|BFloat16|Time|Time64|Interval\w*|QBit|Nothing|Ring|Polygon|MultiPolygon|LineString|MultiLineString|Geometry)\b/
const ROWS = 'exported_rows'
const IN_ORDER = { max_threads: 1 }

/** Copies rows through this process, as files of a size that can be held in memory: where the server can't write backups, or nobody could read them. */
export class ExportMethod implements BackupMethod {
  readonly #adapter: ClickHouseAdapter
  readonly #store: BackupStore
  readonly #maxFileBytes: number

  constructor(adapter: ClickHouseAdapter, store: BackupStore, maxFileBytes: number) {
    this.#adapter = adapter
    this.#store = store
    this.#maxFileBytes = maxFileBytes
  }

  methodFor(table: TableFacts): 'Parquet' | 'Native' {
    const fits = table.columns.every(({ name, type }) => !NOT_IN_PARQUET.test(type.replace(/'(?:[^'\\]|\\.)*'/g, "''")) && !name.includes('.'))
    return fits ? 'Parquet' : 'Native'
  }

  async copyOut(task: CopyTask): Promise<void> {
    const { source, partitions, call } = task
    const files: string[] = []
    const write = async (partition: string, which: string, params: Row, settings?: QueryOptions['settings']): Promise<void> => {
      const name = `${dataFolder(task.backup)}${partition === '' ? 'all' : partition}/${String(files.length + 1).padStart(6, '0')}.${this.methodFor(source).toLowerCase()}`
      const query = `SELECT ${columnList(source.columns)} FROM ${quotedNameOf(source)} ${which}`
      const { body } = await this.#adapter.download(query, params, { ...call, settings, format: this.methodFor(source) })
      await this.#store.write(name, body, call)
      files.push(name)
      task.onFile()
    }
    if (!source.isMergeTree) {
      // Without parts, rows are told apart by where they stand: one thread reads them in their order.
      for (const piece of await this.#piecesOf(source, call)) await write('', 'LIMIT {size:UInt64} OFFSET {begin:UInt64}', piece, IN_ORDER)
      return
    }
    for (const slice of await this.#slicesOf(source, partitions, call)) {
      // The last slice of a part has no end: rows that were deleted still count where the others stand.
      const end = slice.end === null ? '' : ' AND _part_offset < {end:UInt64}'
      await write(slice.partition, `WHERE _part = {part:String} AND _part_offset >= {begin:UInt64}${end}`, { part: slice.part, begin: slice.begin, end: slice.end ?? 0 })
    }
  }

  async copyIn({ manifest, base, target, onFile, call }: RestoreTask): Promise<void> {
    await this.#adapter.execute(definitionAs(manifest, target), {}, call)
    await stopMerges(this.#adapter, target, manifest.engine, call)
    const columns = columnList(manifest.columns)
    const insert = `INSERT INTO ${quotedNameOf(target)} (${columns}) SELECT ${columns} FROM ${ROWS}`
    // Equal files are no repeats of each other, and a file may span many partitions where the table was read in one piece.
    const inOrder = manifest.engine.endsWith('MergeTree') ? {} : { ...IN_ORDER, input_format_parquet_preserve_order: 1 }
    const settings = { insert_deduplicate: 0, max_partitions_per_insert_block: 0, async_insert: 0, ...inOrder }
    for (const file of exportedFiles(manifest, base)) {
      const data = await readWhole(this.#store, file.path, call)
      await this.#adapter.execute(insert, {}, { ...call, settings, external: { name: ROWS, columns: manifest.columns, format: file.format, data } })
      onFile()
    }
  }

  /** Each part by pieces of about the size that a file may have. */
  async #slicesOf(source: TableFacts, partitions: readonly string[], call: CallOptions): Promise<Slice[]> {
    const { rows } = await this.#adapter.execute<Row & { part: string; partition: string; rows: bigint; bytes: bigint }>(
      `SELECT name AS part, partition_id AS partition, rows, data_uncompressed_bytes AS bytes FROM system.parts
       WHERE active AND rows > 0 AND database = {database:String} AND table = {name:String} AND partition_id IN {partitions:Array(String)} ORDER BY partition_id, name`,
      { database: source.database, name: source.name, partitions },
      call,
    )
    return rows.flatMap(({ part, partition, rows: count, bytes }) => {
      const { begins, size } = this.#cut(Number(count), Number(bytes))
      return begins.map((begin, index) => ({ part, partition, begin, end: index === begins.length - 1 ? null : begin + size }))
    })
  }

  /** A table that has no parts, by pieces of about that size. An empty one has a piece, too. */
  async #piecesOf(source: TableFacts, call: CallOptions): Promise<{ readonly begin: number; readonly size: number }[]> {
    const { rows } = await this.#adapter.execute<Row & { rows: bigint; bytes: bigint }>(
      `SELECT count() AS rows, sum(length(formatRow('RowBinary', ${columnList(source.columns)}))) AS bytes FROM ${quotedNameOf(source)}`,
      {},
      call,
    )
    const { begins, size } = this.#cut(Number(rows[0]?.rows ?? 0), Number(rows[0]?.bytes ?? 0))
    return begins.map((begin) => ({ begin, size }))
  }

  #cut(rows: number, bytes: number): { readonly begins: readonly number[]; readonly size: number } {
    const pieces = Math.max(1, Math.ceil(bytes / this.#maxFileBytes))
    const size = Math.ceil(rows / pieces)
    return { begins: Array.from({ length: pieces }, (_, index) => index * size), size }
  }
}

interface Slice {
  readonly part: string
  readonly partition: string
  readonly begin: number
  readonly end: number | null
}

/** The files that make up a table: a backup's own, and those of the base whose partitions haven't changed. */
export function exportedFiles(manifest: BackupManifest, base: BackupManifest | null): { readonly path: string; readonly format: string }[] {
  const unchanged = new Set(manifest.partitions.filter(({ inBase }) => inBase).map(({ id }) => id))
  const own = manifest.files.map(({ name }) => ({ path: `${manifest.name}/${name}`, format: manifest.method }))
  if (base === null) return own
  const borrowed = base.files.filter(({ name }) => unchanged.has(name.split('/')[1] ?? '')).map(({ name }) => ({ path: `${base.name}/${name}`, format: base.method }))
  return [...borrowed, ...own]
}

/** The statement that made the table, for a table of another name. */
export function definitionAs(manifest: BackupManifest, target: { readonly database: string; readonly name: string }): string {
  const quoted = '(?:`(?:[^`\\\\]|\\\\.)*`|[^\\s.(`]+)'
  return manifest.definition.replace(new RegExp(`^CREATE TABLE (?:${quoted}\\.)?${quoted}`), () => `CREATE TABLE ${quotedNameOf(target)}`)
}

function columnList(columns: readonly { readonly name: string }[]): string {
  return columns.map(({ name }) => quoteName(name)).join(', ')
}
