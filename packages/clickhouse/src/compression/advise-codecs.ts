import { randomBytes } from 'node:crypto'
import type { CallOptions, Row } from '@smart-whale/interfaces'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { quoteName } from '../adapter/table-columns.ts'
import { afterwards } from '../backup/work-tables.ts'
import { isRefusal } from '../server-refusal.ts'
import type { KeptTable } from '../lifecycle/kept-table.ts'
import { candidateCodecs } from './candidate-codecs.ts'
import type { CodecAdvice, CodecMeasurement } from './compression-options.ts'

/** What codecs are measured with. */
export interface CodecTrial {
  readonly adapter: ClickHouseAdapter
  readonly table: KeptTable
  readonly sampleRows: number
  readonly minSaving: number
  readonly call: CallOptions
}

/** Reads of each sample; the least time counts, which is the one that others disturbed least. */
const READS = 3
/** A codec that saves space and takes more than so many times as long to read isn't advised. */
const MAX_SLOWDOWN = 3
/** Below that, times say more of the clock than of the codec, in milliseconds. */
const MIN_COMPARED_MS = 5

/** Writes a sample of a column with each candidate, and measures what it takes on disk and how long it takes to read. */
export async function adviseCodec(trial: CodecTrial, column: KeptTable['columns'][number]): Promise<CodecAdvice> {
  const currentCodec = column.codec.replace(/^CODEC\((.*)\)$/, '$1')
  const candidates = [...new Set([currentCodec === '' ? 'Default' : currentCodec, ...candidateCodecs(column.type)])]
  const measured: CodecMeasurement[] = []
  for (const codec of candidates) {
    const measurement = await measure(trial, column, codec)
    if (measurement !== null) measured.push(measurement)
  }
  const [current, ...others] = measured as [CodecMeasurement, ...CodecMeasurement[]]
  const best = others.filter((other) => isFastEnough(other, current)).reduce((one, other) => (other.compressedBytes < one.compressedBytes ? other : one), current)
  const saving = current.compressedBytes === 0n ? 0 : 1 - Number(best.compressedBytes) / Number(current.compressedBytes)
  const worthIt = best !== current && saving >= trial.minSaving
  return {
    column: column.name,
    type: column.type,
    currentCodec: current.codec,
    current,
    best,
    measured,
    saving,
    statement: worthIt ? `ALTER TABLE ${trial.table.quoted} MODIFY COLUMN ${quoteName(column.name)} CODEC(${best.codec})` : null,
    reason: reasonOf(worthIt, best, current, saving, trial),
  }
}

function isFastEnough(other: CodecMeasurement, current: CodecMeasurement): boolean {
  return other.readMs <= Math.max(MIN_COMPARED_MS, current.readMs) * MAX_SLOWDOWN
}

function reasonOf(worthIt: boolean, best: CodecMeasurement, current: CodecMeasurement, saving: number, { sampleRows, minSaving }: CodecTrial): string {
  const share = `${Math.round(saving * 100)} %`
  if (worthIt) return `${best.codec} takes ${share} less than ${current.codec}, measured on up to ${sampleRows} rows: ${best.compressedBytes} bytes in place of ${current.compressedBytes}, read in ${best.readMs.toFixed(1)} ms in place of ${current.readMs.toFixed(1)} ms`
  return best === current ? `no candidate is smaller than ${current.codec}` : `${best.codec} would take ${share} less, which is under the ${Math.round(minSaving * 100)} % that are worth a rewrite`
}

/** Null for a codec that this server, or this type, can't have. */
async function measure({ adapter, table, sampleRows, call }: CodecTrial, { name, type }: KeptTable['columns'][number], codec: string): Promise<CodecMeasurement | null> {
  const trial = { database: table.database, name: `${table.name}__sw_codec_${randomBytes(6).toString('hex')}` }
  const quoted = `${quoteName(trial.database)}.${quoteName(trial.name)}`
  try {
    // Wide, as large parts are, and in the order in which the table has the rows: neighbours are what a codec works with.
    await adapter.execute(`CREATE TABLE ${quoted} (value ${type} CODEC(${codec})) ENGINE = MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 0`, {}, { ...call, settings: TOLERANT })
    await adapter.execute(`INSERT INTO ${quoted} SELECT ${quoteName(name)} FROM ${table.quoted} LIMIT ${sampleRows}`, {}, { ...call, settings: { ...TOLERANT, max_threads: 1, max_insert_threads: 1 } })
    await adapter.execute(`OPTIMIZE TABLE ${quoted} FINAL`, {}, call)
    return { codec, compressedBytes: await bytesOf(adapter, trial, call), readMs: await readTime(adapter, quoted, call) }
  } catch (error) {
    if (isRefusal(error)) return null
    throw error
  } finally {
    await adapter.execute(`DROP TABLE IF EXISTS ${quoted} SYNC`, {}, afterwards(call))
  }
}

const TOLERANT = { allow_suspicious_codecs: 1, allow_experimental_codecs: 1, allow_suspicious_low_cardinality_types: 1 }

async function bytesOf(adapter: ClickHouseAdapter, { database, name }: { readonly database: string; readonly name: string }, call: CallOptions): Promise<bigint> {
  const { rows } = await adapter.execute<Row & { bytes: bigint }>(
    'SELECT sum(data_compressed_bytes) AS bytes FROM system.parts WHERE active AND database = {database:String} AND table = {name:String}',
    { database, name },
    call,
  )
  return rows[0]?.bytes ?? 0n
}

/** As the server measures it: the whole column is read and decompressed, and nothing else is done. */
async function readTime(adapter: ClickHouseAdapter, quoted: string, call: CallOptions): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let read = 0; read < READS; read++) {
    const { statistics } = await adapter.execute(`SELECT count() FROM ${quoted} WHERE NOT ignore(value)`, {}, { ...call, settings: { max_threads: 1 } })
    least = Math.min(least, statistics.elapsedMs)
  }
  return least
}
