import { type CallOptions, type Row, ValidationError, type ValidationIssue } from '@smart-whale/interfaces'
import { hash } from 'node:crypto'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { ClickHouseBaseError } from '../errors.ts'
import type { StreamBatch } from './stream-batch.ts'

type Refused = Map<number, readonly ValidationIssue[]>

/**
 * Stores a batch. Rows that the server refuses for their data are left out, however many; the others are stored.
 * @returns the refused rows by their place in the batch
 */
export async function insertBatch(adapter: ClickHouseAdapter, batch: StreamBatch, call: CallOptions): Promise<Refused> {
  const refused: Refused = new Map()
  const places = batch.rows.map((_row, place) => place)
  await insertPart(adapter, batch, places, batch.token, call, refused)
  return refused
}

/** Halves what is refused until the row is found that is to blame. Every part is another set of rows, so it has a token of its own. */
async function insertPart(
  adapter: ClickHouseAdapter,
  batch: StreamBatch,
  places: readonly number[],
  token: string | undefined,
  call: CallOptions,
  refused: Refused,
): Promise<void> {
  if (places.length === 0) return
  const refusal = await tryPart(adapter, batch, places, token, call)
  if (refusal === undefined) return
  const blamed = findBlamed(refusal, places)
  if (blamed.size === 0) return await insertHalves(adapter, batch, places, token, call, refused)
  for (const [place, issues] of blamed) refused.set(place, issues)
  const rest = places.filter((place) => !blamed.has(place))
  await insertPart(
    adapter,
    batch,
    rest,
    token && `${token}/without-${hash('sha256', [...blamed.keys()].join(), 'hex').slice(0, 16)}`,
    call,
    refused,
  )
}

/** Stores the rows, or tells why the server or the encoder refuses them. */
async function tryPart(
  adapter: ClickHouseAdapter,
  batch: StreamBatch,
  places: readonly number[],
  token: string | undefined,
  call: CallOptions,
): Promise<ValidationError | undefined> {
  const rows = places.map((place) => batch.rows[place] as Row)
  // The rows were checked against the columns as they are now; an adapter that knows them from before forgets them when it refuses.
  for (let attempt = 1; ; attempt++) {
    try {
      await adapter.insert(batch.table, rows, { ...call, token })
      return undefined
    } catch (error) {
      if (!ValidationError.isInstance(error)) throw error
      const byServer = ClickHouseBaseError.isInstance(error) && error.serverCode !== undefined
      if (byServer || attempt === 2) return error
    }
  }
}

async function insertHalves(
  adapter: ClickHouseAdapter,
  batch: StreamBatch,
  places: readonly number[],
  token: string | undefined,
  call: CallOptions,
  refused: Refused,
): Promise<void> {
  const middle = Math.ceil(places.length / 2)
  await insertPart(adapter, batch, places.slice(0, middle), token && `${token}/0`, call, refused)
  await insertPart(adapter, batch, places.slice(middle), token && `${token}/1`, call, refused)
}

/** The rows that the refusal names, by their place in the batch; a single row needs no naming. */
function findBlamed(error: ValidationError, places: readonly number[]): Refused {
  const blamed: Refused = new Map()
  for (const { path, message } of error.issues) {
    const place = typeof path[0] === 'number' ? places[path[0]] : undefined
    if (place !== undefined) blamed.set(place, [...(blamed.get(place) ?? []), { path: path.slice(1), message }])
  }
  const [only] = places
  if (blamed.size === 0 && places.length === 1 && only !== undefined) blamed.set(only, [{ path: [], message: error.message }])
  return blamed
}
