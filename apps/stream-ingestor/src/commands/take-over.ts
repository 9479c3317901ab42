import { type Command, type CommandCall, EXIT } from '@smart-whale/app-process'
import { type ClaimedTable, ConfigurationError, OperationError, tableTakenError } from '@smart-whale/interfaces'
import { type PipelineDefinition, takeOverGroup } from '@smart-whale/messaging/pipeline'
import { takeOverPipeline } from '@smart-whale/timescaledb'
import { type OpenParts, withParts } from '../open-parts.ts'

/** What was handed over. */
interface TakenOver {
  readonly pipeline: string
  readonly from: string
  readonly topic: string
  /** That were the former one's. */
  readonly tables: readonly string[]
  /** Of which the progress was. */
  readonly progress: readonly number[]
  /** That another pipeline stored into the ClickHouse table. */
  readonly turns: readonly number[]
}

/** Lets a pipeline go on in another one's place. */
export const takeOver: Command = {
  name: 'take-over',
  summary: 'Lets a pipeline go on where another one stands that stores the same topic into the same tables: after it was renamed',
  usage: '--from NAME --pipeline NAME [--wait DURATION] [--json]',
  help: `  --from NAME        the pipeline that has stored the topic so far; it need not be in the file any more
  --pipeline NAME    the one of the file that goes on
  --wait DURATION    how long to wait for a worker that hangs or has just been killed, such as 90s or 2m (60s)
  --json             {"pipeline", "from", "topic", "tables", "progress", "turns"}; the last two are partitions

Stop the workers of both first. What still comes from the former one is refused from then on; started again, it ends with ERR_TABLE_TAKEN. A slice that it left
half-written is finished by the other one. The command may be repeated, also after it was killed.`,
  examples: [['--from rides --pipeline trips', 'the pipeline "rides" is called "trips" from now on']],
  exits: { 0: 'taken over', 3: 'a third pipeline has the table, or was given the progress', 4: 'the former one has nothing of this topic in these tables' },
  options: { from: { type: 'string' }, pipeline: { type: 'string' }, wait: { type: 'string' } },
  maxPositionals: 0,
  run: (call) => {
    const [from, pipeline] = [nameIn(call, 'from'), nameIn(call, 'pipeline')]
    const waitMs = waitIn(call)
    if (from === pipeline) throw new ConfigurationError('--from and --pipeline name the same pipeline')
    return withParts({ ...call, values: { ...call.values, pipeline: [pipeline] } }, async (parts) => {
      const taken = await handOver({ ...parts, from, waitMs, signal: call.signal })
      if (call.json) call.print(JSON.stringify(taken))
      else call.print(told(taken))
      return isNothing(taken) ? EXIT.none : EXIT.ok
    })
  },
}

/** How the former pipeline's things go to the other one. */
interface HandOver extends OpenParts {
  readonly from: string
  /** Longest time for each thing that has to be waited for. */
  readonly waitMs: number
  readonly signal: AbortSignal
}

/** The order is the point: while ClickHouse's table still is the former pipeline's, the other one is refused; so it never begins with half of its progress. */
async function handOver(parts: HandOver): Promise<TakenOver> {
  const { definitions, transport, timescaledb, from, waitMs, signal } = parts
  const { name: pipeline, topic, sinks, tables } = definitions[0] as PipelineDefinition
  const topicId = (await transport.topics.describe(topic, { signal }))?.id
  if (topicId === undefined) throw new OperationError(`there is no topic "${topic}", so there is nothing of it to go on with`, { code: 'ERR_MESSAGING_TOPIC_NOT_FOUND', status: 404 })
  const nothing: TakenOver = { pipeline, from, topic, tables: [], progress: [], turns: [] }
  const turns = await turnsOf(parts, topicId)
  const ofClickHouse = turns?.holder === from ? [`ClickHouse ${tables.clickhouse}`] : []
  if (timescaledb === null) {
    if (turns === null || turns.holder !== from) return { ...nothing, turns: (await turns?.take()) ?? [] }
    let taken: readonly number[] = []
    const progress = await takeOverGroup(transport, { from, to: pipeline, topic }, { timeoutMs: waitMs, signal, whileHeld: async () => void (taken = await turns.take()) })
    return { ...nothing, tables: ofClickHouse, progress, turns: taken }
  }
  const hasRows = sinks.includes('timescaledb')
  // A table that the former one never stored into would lack all that came before.
  const claimAlone = turns !== null && turns.holder === null
  if (claimAlone && !hasRows) return nothing
  const into: ClaimedTable = hasRows ? { table: tables.timescaledb, topic } : { table: tables.clickhouse, topic, store: 'ClickHouse' }
  const { partitions: progress, holder } = await takeOverPipeline(timescaledb, { from, to: pipeline, topicId, into, claimAlone }, { signal, timeoutMs: waitMs })
  if (hasRows && holder === null) return nothing
  const ofPostgres = holder === from ? [`PostgreSQL ${tables.timescaledb}`] : []
  return { ...nothing, tables: [...ofPostgres, ...ofClickHouse], progress, turns: (await turns?.take()) ?? [] }
}

/** The pipeline that has the ClickHouse table, and what gives it to the other one; null without ClickHouse. @throws `ERR_TABLE_TAKEN` when a third one has it */
async function turnsOf({ definitions, clickhouse, from, signal }: HandOver, topicId: string): Promise<{ readonly holder: string | null; take(): Promise<readonly number[]> } | null> {
  const { name: to, topic, sinks, tables } = definitions[0] as PipelineDefinition
  if (clickhouse === null || !sinks.includes('clickhouse')) return null
  // Loaded when it is asked for: what `run` loads is counted in megabytes.
  const { tableGiven, takeOverTurns } = await import('@smart-whale/clickhouse')
  const table = tables.clickhouse
  const { holder, generation: since } = await tableGiven(clickhouse, table, topicId, { signal })
  if (holder !== null && holder !== from && holder !== to) throw tableTakenError({ store: 'ClickHouse', table, topic, topicId, pipeline: to, holder })
  // Given from hand to hand since, the table may be the former one's again, with progress that this command has not moved.
  return { holder, take: () => takeOverTurns(clickhouse, table, { from, to, topicId, topic, since }, { signal }) }
}

const isNothing = ({ tables, progress, turns }: TakenOver): boolean => tables.length + progress.length + turns.length === 0

function told(taken: TakenOver): string {
  const { pipeline, from, topic, tables, progress, turns } = taken
  const partitions = [...new Set([...progress, ...turns])].sort((one, other) => one - other)
  if (isNothing(taken)) return `"${from}" has nothing of "${topic}" in the tables of "${pipeline}" that could be taken over`
  return `"${pipeline}" goes on in the place of "${from}": ${partitions.length === 0 ? 'nothing yet' : `partitions ${partitions.join(', ')}`} of "${topic}"${tables.length === 0 ? '' : `, into ${tables.join(' and ')}`}`
}

function nameIn({ values }: CommandCall, option: 'from' | 'pipeline'): string {
  const name = values[option]
  if (typeof name !== 'string' || name === '') throw new ConfigurationError(`which pipeline? Give --from and --pipeline`)
  return name
}

function waitIn({ values }: CommandCall): number {
  const text = (values.wait ?? '60s') as string
  const [, digits, unit] = /^(\d{1,6})(ms|s|m)$/.exec(text) ?? []
  if (digits === undefined) throw new ConfigurationError(`--wait is "${text}", which is not a duration such as 30s, 500ms or 2m`)
  return Math.max(1, Number(digits) * { ms: 1, s: 1000, m: 60_000 }[unit as 'ms' | 's' | 'm'])
}
