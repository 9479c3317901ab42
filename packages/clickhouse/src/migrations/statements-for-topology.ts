import { type SqlToken, sqlTokens } from '../sql-tokens.ts'
import { type ClusterPlan, planOf, quoteText, type Topology, type WrittenName, writeName } from './topology.ts'

/** Statements whose first words name one thing, and that a cluster has to hear on every server: the words, and how many names follow. */
const HEADS: readonly (readonly string[])[] = [
  ['CREATE', 'DATABASE'],
  ['DROP', 'DATABASE'],
  ['CREATE', 'OR', 'REPLACE', 'TABLE'],
  ['CREATE', 'OR', 'REPLACE', 'VIEW'],
  ['CREATE', 'OR', 'REPLACE', 'DICTIONARY'],
  ['REPLACE', 'TABLE'],
  ['CREATE', 'TABLE'],
  ['CREATE', 'MATERIALIZED', 'VIEW'],
  ['CREATE', 'VIEW'],
  ['CREATE', 'DICTIONARY'],
  ['CREATE', 'FUNCTION'],
  ['DROP', 'TABLE'],
  ['DROP', 'VIEW'],
  ['DROP', 'DICTIONARY'],
  ['DROP', 'FUNCTION'],
  ['ALTER', 'TABLE'],
  ['TRUNCATE', 'TABLE'],
  ['TRUNCATE'],
  ['OPTIMIZE', 'TABLE'],
  ['DETACH', 'TABLE'],
  ['ATTACH', 'TABLE'],
]
/** Of tables that stand for shards, these commands alone change the table itself, too. */
const COLUMN_COMMANDS = new Set(['ADD COLUMN', 'DROP COLUMN', 'MODIFY COLUMN', 'RENAME COLUMN', 'COMMENT COLUMN', 'CLEAR COLUMN', 'ALTER COLUMN'])

/** Tables that are kept in shards, by name. */
export type ShardedTables = ReadonlySet<string>

/**
 * A statement as this topology needs it: none other than itself for one server; for a cluster sent to all of its servers, with replicated
 * engines; and, where tables are sharded, once for the parts and once for the whole. One that says `ON CLUSTER` itself stays as it is.
 */
export function statementsFor(statement: string, topology: Topology, sharded: ShardedTables = new Set()): string[] {
  const plan = planOf(topology)
  if (plan === null) return [statement]
  const tokens = [...sqlTokens(statement)]
  if (indexOfWords(tokens, ['ON', 'CLUSTER']) !== -1) return [statement]
  const head = headOf(tokens)
  if (head === null) return [onClusterAtTheEnd(statement, tokens, plan)]
  const written: Statement = { text: statement, tokens, ...head }
  const shards = plan.shards
  if (shards === null) return [withEngine(onCluster(written, plan), plan)]
  if (head.kind === 'CREATE TABLE' && keepsRows(tokens)) return createSharded(written, plan, shards)
  if (head.kind === 'CREATE MATERIALIZED VIEW') return [shardedView(written, plan, sharded)]
  if (!sharded.has(head.name.table) || head.kind === 'CREATE VIEW' || head.kind.endsWith('FUNCTION')) return [withEngine(onCluster(written, plan), plan)]
  return changeSharded(written, plan)
}

/** The names of tables that these statements would keep in shards. */
export function tablesThatShard(statements: readonly string[]): string[] {
  return statements.flatMap((statement) => {
    const tokens = [...sqlTokens(statement)]
    const head = headOf(tokens)
    return head?.kind === 'CREATE TABLE' && keepsRows(tokens) ? [head.name.table] : []
  })
}

interface Statement {
  readonly text: string
  readonly tokens: readonly SqlToken[]
  /** The first words, without `OR REPLACE`. */
  readonly kind: string
  readonly name: WrittenName
  /** Where the name begins and ends in the text. */
  readonly nameStart: number
  readonly nameEnd: number
}

function headOf(tokens: readonly SqlToken[]): Pick<Statement, 'kind' | 'name' | 'nameStart' | 'nameEnd'> | null {
  const words = HEADS.find((head) => head.every((word, index) => tokens[index]?.kind === 'word' && tokens[index].value === word))
  if (words === undefined) return null
  let at = words.length
  for (const phrase of [['IF', 'NOT', 'EXISTS'], ['IF', 'EXISTS']]) if (phrase.every((word, index) => tokens[at + index]?.value === word)) at += phrase.length
  const [first, dot, second] = tokens.slice(at)
  if (first === undefined || (first.kind !== 'word' && first.kind !== 'name')) return null
  const kind = words.filter((word) => word !== 'OR' && word !== 'REPLACE').join(' ').replace(/^TABLE$/, 'CREATE TABLE')
  if (dot?.text === '.' && second !== undefined) return { kind, name: { database: nameIn(first), table: nameIn(second) }, nameStart: first.start, nameEnd: second.end }
  return { kind, name: { database: null, table: nameIn(first) }, nameStart: first.start, nameEnd: first.end }
}

const nameIn = ({ kind, text, value }: SqlToken): string => (kind === 'name' ? value : text)

function onCluster({ text, nameEnd }: Statement, { cluster }: ClusterPlan): string {
  return `${text.slice(0, nameEnd)} ON CLUSTER ${cluster}${text.slice(nameEnd)}`
}

/** `RENAME` and `EXCHANGE` name several things and the cluster last; whatever changes no table (`INSERT`, `SELECT`) stays as it is. */
function onClusterAtTheEnd(text: string, [first]: readonly SqlToken[], { cluster }: ClusterPlan): string {
  return first?.value === 'RENAME' || first?.value === 'EXCHANGE' ? `${text} ON CLUSTER ${cluster}` : text
}

function engineOf(tokens: readonly SqlToken[]): SqlToken | undefined {
  const at = tokens.findIndex(({ kind, value }) => kind === 'word' && value === 'ENGINE')
  return at === -1 ? undefined : tokens.slice(at + 1).find(({ text }) => text !== '=')
}

const MERGE_TREE = /^(?!Replicated|Shared).*MergeTree$/

const keepsRows = (tokens: readonly SqlToken[]): boolean => /^(?!Shared).*MergeTree$/.test(engineOf(tokens)?.text ?? '')

/** With the replicated kind of the engine, where it has one and is none yet. */
function withEngine(text: string, { replicaArguments }: ClusterPlan): string {
  const tokens = [...sqlTokens(text)]
  const engine = engineOf(tokens)
  if (engine === undefined || tokens[0]?.value === 'ALTER' || !MERGE_TREE.test(engine.text)) return text
  const behind = tokens[tokens.indexOf(engine) + 1]
  const before = text.slice(0, engine.start)
  if (behind?.text !== '(') return `${before}Replicated${engine.text}(${replicaArguments})${text.slice(engine.end)}`
  const isEmpty = tokens[tokens.indexOf(engine) + 2]?.text === ')'
  return `${before}Replicated${engine.text}(${replicaArguments}${isEmpty ? '' : ', '}${text.slice(behind.end)}`
}

type Shards = NonNullable<ClusterPlan['shards']>

function renamed(statement: Statement, table: string): Statement {
  const { text, name, nameStart, nameEnd } = statement
  const written = writeName({ ...name, table })
  const changed = `${text.slice(0, nameStart)}${written}${text.slice(nameEnd)}`
  return { ...statement, text: changed, tokens: [...sqlTokens(changed)], name: { ...name, table }, nameEnd: nameStart + written.length }
}

function createSharded(statement: Statement, plan: ClusterPlan, shards: Shards): string[] {
  const { database, table } = statement.name
  const local = renamed(statement, shards.localName(table))
  const start = statement.text.slice(0, statement.nameStart)
  const databaseText = database === null ? 'currentDatabase()' : quoteText(database)
  const whole = `${start}${writeName(statement.name)} ON CLUSTER ${plan.cluster} AS ${writeName(local.name)} ENGINE = Distributed(${plan.cluster}, ${databaseText}, ${quoteText(local.name.table)}, ${shards.shardingKey(table)})`
  return [withEngine(onCluster(local, plan), plan), whole]
}

/** Of a sharded table: the parts first, then what stands for them, where that has to hear of it as well. */
function changeSharded(statement: Statement, plan: ClusterPlan): string[] {
  const { kind, tokens, name } = statement
  const parts = onCluster(renamed(statement, (plan.shards as Shards).localName(name.table)), plan)
  const whole = onCluster(statement, plan)
  if (kind === 'DROP TABLE' || kind === 'DETACH TABLE' || kind === 'ATTACH TABLE') return [whole, parts]
  if (kind !== 'ALTER TABLE') return [parts]
  const words = tokens.filter(({ kind: ofToken }) => ofToken === 'word').map(({ value }) => value)
  const changesColumns = words.some((word, index) => COLUMN_COMMANDS.has(`${word} ${words[index + 1]}`)) && !words.some((word) => word === 'INDEX' || word === 'PROJECTION' || word === 'TTL' || word === 'SETTING')
  return changesColumns ? [parts, withoutStorage(whole)] : [parts]
}

/** A table that keeps no rows knows no codecs. */
function withoutStorage(text: string): string {
  const tokens = [...sqlTokens(text)]
  const codec = tokens.findIndex(({ kind, value }) => kind === 'word' && value === 'CODEC')
  if (codec === -1) return text
  let depth = 0
  const end = tokens.slice(codec + 1).find((token) => {
    if (token.text === '(') depth += 1
    if (token.text === ')') depth -= 1
    return depth === 0
  })
  const start = tokens[codec]?.start ?? text.length
  return withoutStorage(`${text.slice(0, start).trimEnd()}${text.slice(end?.end ?? text.length)}`)
}

/** A view is fed where the rows arrive: on each shard, from the part there into the part there. */
function shardedView(statement: Statement, plan: ClusterPlan, sharded: ShardedTables): string {
  const { text, nameEnd, tokens } = statement
  const changes = tokens
    .filter((token, index) => token.start >= nameEnd && (token.kind === 'word' || token.kind === 'name') && sharded.has(nameIn(token)) && namesATable(tokens, index))
    .map((token) => ({ start: token.start, end: token.end, to: writeName({ database: null, table: (plan.shards as Shards).localName(nameIn(token)) }) }))
  const moved = changes.reduceRight((changed, { start, end, to }) => `${changed.slice(0, start)}${to}${changed.slice(end)}`, text)
  return withEngine(onCluster({ ...statement, text: moved }, plan), plan)
}

/** Whether a name stands behind `FROM`, `JOIN` or `TO`, with or without a database before it. */
function namesATable(tokens: readonly SqlToken[], index: number): boolean {
  const before = tokens[index - 1]?.text === '.' ? tokens[index - 3] : tokens[index - 1]
  return before?.kind === 'word' && /^(?:FROM|JOIN|TO)$/.test(before.value)
}

function indexOfWords(tokens: readonly SqlToken[], words: readonly string[]): number {
  return tokens.findIndex((_token, index) => words.every((word, offset) => tokens[index + offset]?.kind === 'word' && tokens[index + offset]?.value === word))
}
