import { type Command, type CommandCall, EXIT } from '@smart-whale/app-process'
import { ConfigurationError, toWire } from '@smart-whale/interfaces'
import { type PipelineLag, readPipelineLag } from '@smart-whale/messaging/pipeline'
import { withParts } from '../open-parts.ts'
import { tableText } from './print-table.ts'
import { count } from './words.ts'

/** How far pipelines are behind their topics. */
export const lag: Command = {
  name: 'lag',
  summary: 'Tells how far each pipeline is behind its topic, by partition',
  usage: '[--pipeline NAME]… [--max N] [--json]',
  help: `  --pipeline NAME    this one alone; may be given again (all)
  --max N            end with exit code 3 when one pipeline lags by more records than this
  --json             {"pipelines": [{"pipeline", "topic", "total", "partitions": [{"partition", "nextOffset", "latest", "lag", "owner", "inFlight"}]}]};
                     offsets and counts are digits in texts

Counted are records from the first that is not in every store to the end of the partition. "in flight" is the slice that is being written.`,
  examples: [
    ['', 'all pipelines'],
    ['--pipeline rides --max 10000', 'in a script: ends with 3 when it is further behind'],
  ],
  exits: { 0: 'told', 3: 'a pipeline lags by more than --max, or a topic is not there' },
  options: { pipeline: { type: 'string', multiple: true }, max: { type: 'string' } },
  maxPositionals: 0,
  run: (call) =>
    // A store that is away is the first reason to ask for the lag.
    withParts(
      call,
      async ({ definitions, transport, progress }) => {
        const most = maximum(call.values.max as string | undefined)
        const lags = await Promise.all(definitions.map((definition) => readPipelineLag({ definition, transport, progress, signal: call.signal })))
        if (call.json) call.print(JSON.stringify(toWire({ pipelines: lags })))
        else printLags(lags, call)
        return most !== undefined && lags.some(({ total }) => total > most) ? EXIT.found : EXIT.ok
      },
      { clickhouse: false },
    ),
}

function printLags(lags: readonly PipelineLag[], { print }: CommandCall): void {
  const rows = lags.flatMap(({ pipeline, topic, partitions }) =>
    partitions.map(({ partition, nextOffset, latest, lag: behind, owner, inFlight }) => [pipeline, topic, partition, nextOffset, latest, behind, owner, inFlight === null ? '–' : `${inFlight.firstOffset}–${inFlight.lastOffset}`]),
  )
  print(tableText(['pipeline', 'topic', 'partition', 'done before', 'end', 'lag', 'owner', 'in flight'], rows))
  for (const { pipeline, total } of lags) print(`${pipeline}: ${count(total, 'record')} behind`)
}

function maximum(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,18}$/.test(text)) throw new ConfigurationError(`--max is "${text}", which is not a whole number`)
  return BigInt(text)
}
