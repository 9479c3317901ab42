import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { zstdDecompressSync } from 'node:zlib'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'

/** One event of the sample: the row's index in its source, and the message that stands for it. */
export interface SampleEvent {
  readonly id: number
  readonly value: string
}

/** Every how many rows of the flights are taken: all, or enough for a first look. */
export type SampleSize = 'default' | 'full'

const FLIGHT_STRIDE: Readonly<Record<SampleSize, number>> = { default: 15, full: 1 }
const ALL_FLIGHTS = 3_000_000
const ALL_TRADING_DAYS = 5105

/** How many events a sample has. */
export function sampleCounts(size: SampleSize): { flights: number; sp500: number } {
  return { flights: Math.ceil(ALL_FLIGHTS / FLIGHT_STRIDE[size]), sp500: ALL_TRADING_DAYS }
}

interface FlightRow {
  date: Date
  delay: bigint
  distance: bigint
  origin: string
  destination: string
}

/**
 * The flights, a row group (about 270,000 rows) at a time: all three million at once would take a gigabyte.
 * `wanted` says which row indexes to give; a row group without any is not read.
 */
export async function* readFlights(size: SampleSize, wanted: (id: number) => boolean): AsyncIterable<SampleEvent[]> {
  const file = await asyncBufferFromFile(sampleFile('flights-3m.parquet'))
  const metadata = await parquetMetadataAsync(file)
  const stride = FLIGHT_STRIDE[size]
  let rowStart = 0
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows)
    const ids: number[] = []
    for (let id = Math.ceil(rowStart / stride) * stride; id < rowEnd; id += stride) if (wanted(id)) ids.push(id)
    if (ids.length > 0) {
      const rows = (await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors: { ZSTD: (input) => zstdDecompressSync(input) } })) as unknown as FlightRow[]
      const first = rowStart
      yield ids.map((id) => flightEvent(id, rows[id - first] as FlightRow))
    }
    rowStart = rowEnd
  }
}

// The source has times without a zone; they are taken as UTC.
function flightEvent(id: number, row: FlightRow): SampleEvent {
  const { date, delay, distance, origin, destination } = row
  return { id, value: `{"id":${id},"time":"${date.toISOString()}","delay":${delay},"distance":${distance},"origin":${JSON.stringify(origin)},"destination":${JSON.stringify(destination)}}` }
}

/** The trading days of the S&P 500, oldest first; the digits of the source are kept. */
export async function readSp500(wanted: (id: number) => boolean): Promise<SampleEvent[]> {
  const [, ...lines] = (await readFile(sampleFile('sp500-2000.csv'), 'utf8')).trim().split('\n')
  return lines.flatMap((line, id) => (wanted(id) ? [{ id, value: tradingDay(id, line) }] : []))
}

function tradingDay(id: number, line: string): string {
  const [date, open, high, low, close, adjclose, volume] = line.trim().split(',')
  return `{"id":${id},"time":"${date}T00:00:00Z","open":"${open}","high":"${high}","low":"${low}","close":"${close}","adjclose":"${adjclose}","volume":${volume}}`
}

function sampleFile(name: string): string {
  return fileURLToPath(new URL(`../data/${name}`, import.meta.resolve('vega-datasets')))
}
