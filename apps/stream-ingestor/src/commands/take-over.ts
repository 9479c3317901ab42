import { type Command, type CommandCall, EXIT } from '@smart-whale/app-process'
import { ConfigurationError, OperationError } from '@smart-whale/interfaces'
import { type PipelineDefinition, takeOverGroup } from '@smart-whale/messaging/pipeline'
import { takeOverPipeline } from '@smart-whale/timescaledb'
import { type OpenParts, withParts } from '../open-parts.ts'

/** What was handed over. */
interface TakenOver {
  readonly pipeline: string
  readonly from: string
  readonly topic: string
  /** Of which the progress was. */
  readonly progress: readonly number[]
  /** That another pipeline stored into the ClickHouse table. */
  readonly turns: readonly number[]
}

/** Lets a pipeline go on in another one's place. */
export const takeOver: Command = {
  name: 'take-over',
  summary: 'Lets a pipeline go on where another one stands that stores the same topic into the same tables: after it was renamed',
  usage: '--from NAME --pipeline NAME [--json]',
  help: `  --from NAME        the pipeline that has stored the topic so far; it need not be in the file any more
  --pipeline NAME    the one of the file that goes on
  --json             {"pipeline", "from", "topic", "progress", "turns"}; the last two are partitions

Stop the workers of both first. What still comes from the former one is refused from then on; started again, it ends with ERR_TABLE_TAKEN. A slice that is
being written has to be finished under the former name: start that once more, and stop it by SIGTERM. The command may be repeated.`,
  examples: [['--from rides --pipeline trips', 'the pipeline "rides" is called "trips" from now on']],
  exits: { 0: 'taken over', 3: 'a slice of the former one is not finished', 4: 'the former one has nothing of this topic' },
  options: { from: { type: 'string' }, pipeline: { type: 'string' } },
  maxPositionals: 0,
  run: (call) => {
    const [from, pipeline] = [nameIn(call, 'from'), nameIn(call, 'pipeline')]
    if (from === pipeline) throw new ConfigurationError('--from and --pipeline name the same pipeline')
    return withParts({ ...call, values: { ...call.values, pipeline: [pipeline] } }, async (parts) => {
      const taken = await handOver(parts, from, call.signal)
      if (call.json) call.print(JSON.stringify(taken))
      else call.print(told(taken))
      return taken.progress.length + taken.turns.length === 0 ? EXIT.none : EXIT.ok
    })
  },
}

/** Progress first: it may refuse, and nothing has changed then. */
async function handOver({ definitions, transport, clickhouse, timescaledb }: OpenParts, from: string, signal: AbortSignal): Promise<TakenOver> {
  const { name: to, topic, sinks, tables } = definitions[0] as PipelineDefinition
  const topicId = (await transport.topics.describe(topic, { signal }))?.id
  if (topicId === undefined) throw new OperationError(`there is no topic "${topic}", so there is nothing of it to go on with`, { code: 'ERR_MESSAGING_TOPIC_NOT_FOUND', status: 404 })
  const progress = timescaledb === null ? await takeOverGroup(transport, { from, to, topic }, { signal }) : await takeOverPipeline(timescaledb, { from, to, topicId, into: sinks.includes('timescaledb') ? { table: tables.timescaledb, topic } : undefined }, { signal })
  // Loaded when it is asked for: what `run` loads is counted in megabytes.
  const turns = clickhouse === null || !sinks.includes('clickhouse') ? [] : await (await import('@smart-whale/clickhouse')).takeOverTurns(clickhouse, tables.clickhouse, { from, to, topicId, topic }, { signal })
  return { pipeline: to, from, topic, progress, turns }
}

function told({ pipeline, from, topic, progress, turns }: TakenOver): string {
  const partitions = [...new Set([...progress, ...turns])].sort((one, other) => one - other)
  if (partitions.length === 0) return `"${from}" has nothing of "${topic}" that "${pipeline}" could take over`
  return `"${pipeline}" goes on in the place of "${from}": partitions ${partitions.join(', ')} of "${topic}"`
}

function nameIn({ values }: CommandCall, option: 'from' | 'pipeline'): string {
  const name = values[option]
  if (typeof name !== 'string' || name === '') throw new ConfigurationError(`which pipeline? Give --from and --pipeline`)
  return name
}
