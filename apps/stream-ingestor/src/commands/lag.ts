import { type Command, EXIT } from '@smart-whale/app-process'
import { ConfigurationError, toWire } from '@smart-whale/interfaces'
import { readPipelineLag } from '@smart-whale/messaging/pipeline'
import { withParts } from '../open-parts.ts'
import { tableText } from './print-table.ts'

/** How far pipelines are behind their topics. */
export const lag: Command = {
  name: 'lag',
  summary: 'Tells how far each pipeline is behind its topic, by partition',
  usage: '[--pipeline NAME]… [--max N] [--json]',
  help: `  --pipeline NAME    this one alone; may be given again (all)
  --max N            end with exit code 3 when one pipeline lags by more records than this

Counted are offsets from the first that is not in every store to the end of the partition.

Exit codes: 0 told; 1 broker or ledger is away; 2 the command line or configuration is wrong; 3 a pipeline lags by more than --max.`,
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
        else {
          const rows = lags.flatMap(({ pipeline, topic, partitions }) => partitions.map((one) => [pipeline, topic, one.partition, one.nextOffset, one.latest, one.lag, one.owner ?? '–', one.inFlight === null ? '–' : `${one.inFlight.firstOffset}–${one.inFlight.lastOffset}`]))
          call.print(tableText(['pipeline', 'topic', 'partition', 'done before', 'end', 'lag', 'owner', 'in flight'], rows))
          for (const { pipeline, total } of lags) call.print(`${pipeline}: ${total} records behind`)
        }
        return most !== undefined && lags.some(({ total }) => total > most) ? EXIT.found : EXIT.ok
      },
      { clickhouse: false },
    ),
}

function maximum(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,18}$/.test(text)) throw new ConfigurationError(`--max is "${text}", which is not a whole number`)
  return BigInt(text)
}
