import type { Row, StorageInterface } from '@smart-whale/interfaces'
import { persistentError } from '../errors.ts'

/** Stores whose SQL is known. */
export type StorageDialectName = 'postgresql' | 'clickhouse'

/** An entry as it stands in its row. */
export interface EntryRow {
  readonly key: string
  readonly payload: string
  readonly tags: readonly string[]
  readonly expiresAtMs: number | null
  readonly bytes: number
  readonly seq: number
  readonly generation: string
}

const TYPES = { postgresql: { text: 'text', integer: 'bigint' }, clickhouse: { text: 'String', integer: 'Int64' } } as const
/** Who inserts holds on to the owner's row meanwhile, so that nobody takes over in between. */
const LOCK = { postgresql: ' for share', clickhouse: '' } as const
const COLUMNS = ['layer', 'kind', 'key', 'seq', 'generation', 'payload', 'tags', 'bytes', 'expires_at'] as const

/** The SQL of a {@link StorageLayer}: one table, whose kinds are entries `e`, tags that were removed `t`, the state `s` and the owner `o`. Common to the stores but for types. */
export class StorageRows {
  readonly #storage: StorageInterface
  readonly #name: string
  readonly #table: string
  readonly #dialect: StorageDialectName
  readonly #timeoutMs: number
  readonly #owner: string

  constructor(parts: { readonly storage: StorageInterface; readonly name: string; readonly table: string; readonly dialect: StorageDialectName; readonly timeoutMs: number; readonly owner: string }) {
    this.#storage = parts.storage
    this.#name = parts.name
    this.#table = parts.table
    this.#dialect = parts.dialect
    this.#timeoutMs = parts.timeoutMs
    this.#owner = parts.owner
  }

  async ensureTable(): Promise<void> {
    const isThere = (): Promise<boolean> => this.#execute(`select 1 as found from ${this.#table} limit 1`).then(() => true, () => false)
    if (await isThere()) return
    const { text, integer } = TYPES[this.#dialect]
    const required = this.#dialect === 'postgresql' ? ' not null' : ''
    const columns = Object.fromEntries(COLUMNS.map((column) => [column, (['seq', 'bytes', 'expires_at'].includes(column) ? integer : text) + required]))
    try {
      await this.#storage.createTable(this.#table, { columns, primaryKey: ['layer', 'kind', 'key', 'seq'] }, { timeoutMs: this.#timeoutMs })
    } catch (error) {
      // Somebody else may have made it meanwhile.
      if (!(await isThere())) throw error
    }
  }

  /** Makes this process the owner of the name; whether another had taken it from this one. */
  async takeOver(wasOwner: boolean): Promise<boolean> {
    const owner = await this.#currentOwner()
    if (owner === this.#owner) return false
    await this.#execute(`delete from ${this.#table} where layer = $1 and kind = 'o'`, [this.#name])
    await this.#storage.executeMany(`insert into ${this.#table} (${COLUMNS.join(', ')}) values (${COLUMNS.map((_, at) => `$${at + 1}`).join(', ')})`, [[this.#name, 'o', this.#owner, 0, '', '', '', 0, 0]], { timeoutMs: this.#timeoutMs })
    return wasOwner
  }

  /** @throws ConnectionError when another process has taken the name */
  async requireOwner(): Promise<void> {
    if ((await this.#currentOwner()) !== this.#owner) throw persistentError(`be used, as another process has taken the name ${JSON.stringify(this.#name)}`, undefined)
  }

  async state<S>(): Promise<S | undefined> {
    const [row] = await this.#execute(`select payload from ${this.#table} where layer = $1 and kind = 's' order by seq desc limit 1`, [this.#name])
    return row && (JSON.parse(String(row['payload'])) as S)
  }

  async storeState(state: { readonly generation: string }, seq: number): Promise<void> {
    await this.#insert('s', '', seq, state.generation, JSON.stringify(state), [], 0, null)
    await this.#execute(`delete from ${this.#table} where layer = $1 and kind = 's' and seq < ${seq}`, [this.#name])
  }

  async newestSeq(): Promise<number> {
    const [row] = await this.#execute(`select max(seq) as newest from ${this.#table} where layer = $1`, [this.#name])
    return Number(row?.['newest'] ?? 0)
  }

  /** @throws ConnectionError when another process has taken the name: what it writes, this one can't judge */
  async entry(key: string): Promise<EntryRow | undefined> {
    const rows = await this.#execute(`select * from ${this.#table} where layer = $1 and ((kind = 'e' and key = $2) or kind = 'o') order by kind, seq`, [this.#name, textOf(key)])
    if (!rows.some((row) => row['kind'] === 'o' && row['key'] === this.#owner)) await this.requireOwner()
    const newest = rows.filter((row) => row['kind'] === 'e').at(-1)
    return newest && entryOf(newest)
  }

  async entries(keys: readonly string[]): Promise<EntryRow[]> {
    const rows = await this.#execute(`select * from ${this.#table} where layer = $1 and kind = 'e' and key in (${placesOf(keys)}) order by seq`, [this.#name, ...keys.map(textOf)])
    return [...new Map(rows.map((row) => [String(row['key']), entryOf(row)])).values()]
  }

  /** One row a key, in the order of the kept texts. */
  async page(after: string | undefined, limit: number): Promise<EntryRow[]> {
    const from = after === undefined ? '' : ' and key > $2'
    const rows = await this.#execute(
      `select * from ${this.#table} where layer = $1 and kind = 'e'${from} order by key, seq limit ${limit * 2}`,
      after === undefined ? [this.#name] : [this.#name, textOf(after)],
    )
    const newest = [...new Map(rows.map((row) => [String(row['key']), entryOf(row)])).values()]
    return newest.slice(0, limit)
  }

  insertEntry({ key, seq, generation, payload, tags, bytes, expiresAtMs }: EntryRow): Promise<void> {
    return this.#insert('e', textOf(key), seq, generation, payload, tags, bytes, expiresAtMs)
  }

  insertTag(tag: string, seq: number, generation: string): Promise<void> {
    return this.#insert('t', textOf(tag), seq, generation, '', [], 0, null)
  }

  async deleteBefore(key: string, seq: number): Promise<void> {
    await this.#execute(`delete from ${this.#table} where layer = $1 and kind = 'e' and key = $2 and seq < ${seq}`, [this.#name, textOf(key)])
  }

  async deleteKeys(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return
    await this.#execute(`delete from ${this.#table} where layer = $1 and kind = 'e' and key in (${placesOf(keys)})`, [this.#name, ...keys.map(textOf)])
  }

  /** What is over, and what is void. */
  async deleteExpired(nowMs: number, generation: string): Promise<void> {
    await this.#execute(`delete from ${this.#table} where layer = $1 and kind = 'e' and ((expires_at > 0 and expires_at <= ${Math.floor(nowMs)}) or generation <> $2)`, [this.#name, generation])
  }

  async deleteOldest(count: number): Promise<void> {
    const [row] = await this.#execute(`select seq from ${this.#table} where layer = $1 and kind = 'e' order by seq limit 1 offset ${count - 1}`, [this.#name])
    const upTo = row === undefined ? Number.MAX_SAFE_INTEGER : Number(row['seq'])
    await this.#execute(`delete from ${this.#table} where layer = $1 and kind = 'e' and seq <= ${upTo}`, [this.#name])
  }

  /** A tag that was removed matters to older entries alone. */
  async deleteUnusedTags(): Promise<void> {
    const [row] = await this.#execute(`select min(seq) as oldest, count(*) as entries from ${this.#table} where layer = $1 and kind = 'e'`, [this.#name])
    const oldest = Number(row?.['entries'] ?? 0) === 0 ? Number.MAX_SAFE_INTEGER : Number(row?.['oldest'])
    await this.#execute(`delete from ${this.#table} where layer = $1 and kind = 't' and seq < ${oldest}`, [this.#name])
  }

  /** −1 when none of the tags was removed. */
  async newestRemovalOf(tags: readonly string[], generation: string): Promise<number> {
    const [row] = await this.#execute(
      `select max(seq) as newest, count(*) as removals from ${this.#table} where layer = $1 and kind = 't' and generation = $2 and key in (${placesOf(tags, 3)})`,
      [this.#name, generation, ...tags.map(textOf)],
    )
    return Number(row?.['removals'] ?? 0) === 0 ? -1 : Number(row?.['newest'])
  }

  async totals(): Promise<{ entries: number; bytes: number }> {
    const [row] = await this.#execute(`select count(*) as entries, sum(bytes) as total from ${this.#table} where layer = $1 and kind = 'e'`, [this.#name])
    return { entries: Number(row?.['entries'] ?? 0), bytes: Number(row?.['total'] ?? 0) }
  }

  async #currentOwner(): Promise<string | undefined> {
    const rows = await this.#execute(`select key from ${this.#table} where layer = $1 and kind = 'o'`, [this.#name])
    return rows.length === 1 ? String(rows[0]?.['key']) : undefined
  }

  /** Only while this process is the owner; nobody else's entries are touched. */
  async #insert(kind: string, key: string, seq: number, generation: string, payload: string, tags: readonly string[], bytes: number, expiresAtMs: number | null): Promise<void> {
    const { text } = TYPES[this.#dialect]
    const asText = (place: number): string => `cast($${place} as ${text})`
    const values = `${asText(1)}, '${kind}', ${asText(2)}, ${seq}, ${asText(3)}, ${asText(4)}, ${asText(5)}, ${bytes}, ${expiresAtMs ?? 0}`
    const owner = `select key from ${this.#table} where layer = $1 and kind = 'o' and key = $6${LOCK[this.#dialect]}`
    await this.#execute(`insert into ${this.#table} (${COLUMNS.join(', ')}) select ${values} from (${owner}) as mine`, [this.#name, key, generation, payload, JSON.stringify(tags), this.#owner])
  }

  #execute(query: string, params: readonly unknown[] = []): Promise<Row[]> {
    return this.#storage.execute(query, params, { timeoutMs: this.#timeoutMs })
  }
}

const entryOf = (row: Row): EntryRow => ({
  key: keyOf(String(row['key'])),
  payload: String(row['payload']),
  tags: JSON.parse(String(row['tags'])) as string[],
  expiresAtMs: Number(row['expires_at']) === 0 ? null : Number(row['expires_at']),
  bytes: Number(row['bytes']),
  seq: Number(row['seq']),
  generation: String(row['generation']),
})

const placesOf = (texts: readonly string[], from = 2): string => texts.map((_, at) => `$${at + from}`).join(', ')

/** Stores keep neither NUL nor half a surrogate pair: a key is kept as JSON writes it. */
const textOf = (key: string): string => JSON.stringify(key).slice(1, -1)
const keyOf = (text: string): string => JSON.parse(`"${text}"`) as string
