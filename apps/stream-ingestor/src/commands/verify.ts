import { type Command, type CommandCall, EXIT } from '@smart-whale/app-process'
import { ConfigurationError, InfrastructureError, OperationError, toWire } from '@smart-whale/interfaces'
import { type PipelineDefinition, type VerifyFinding, verifyPipeline, type VerifyReport } from '@smart-whale/messaging/pipeline'
import { ledgerView, type OpenParts, storedRowsOf, withParts } from '../open-parts.ts'
import { tableText } from './print-table.ts'
import { count } from './words.ts'

/** Compares what topics offer with what stores and dead letters hold. */
export const verify: Command = {
  name: 'verify',
  summary: 'Compares what topics offer with what both stores and the dead letters hold; names each gap and double',
  usage: '[--pipeline NAME]… [--partition N]… [--from OFFSET] [--to OFFSET] [--deep] [--limit N] [--json]',
  help: `  --pipeline NAME    this one alone; may be given again (all)
  --partition N      this partition alone; may be given again (all)
  --from OFFSET      begin here, in each partition: where an interrupted run says to go on
  --to OFFSET        stop before this one
  --deep             compare the content of each row too, with what the pipeline makes of its event
  --range N          offsets that are compared at a time (50000; 5000 with --deep); memory grows with it
  --limit N          print so many findings, and count the rest (100; with --json all are printed)
  --json             a line for each finding, {"finding": {"kind", "place", "topic", "partition", "firstOffset", "lastOffset", "offsets", "detail"}},
                     and at the end one for each pipeline: {"report": {"pipeline", "topic", "partitions", "counts", "isWhole"}}

It only reads, and works while ingestors run: what they had done when it began is compared. The slice that is being written is named apart.`,
  examples: [
    ['', 'every pipeline, as a whole'],
    ['--pipeline rides --partition 0 --from 1200000 --deep', 'one partition from an offset on, content included'],
    ["--json | grep '\"finding\"'", 'what is wrong, a line each'],
  ],
  exits: { 0: 'every record is where it belongs, once', 3: 'something is missing, doubled, or where it should not be', 4: 'there was nothing to compare from --from to --to' },
  options: {
    pipeline: { type: 'string', multiple: true },
    partition: { type: 'string', multiple: true },
    from: { type: 'string' },
    to: { type: 'string' },
    deep: { type: 'boolean' },
    range: { type: 'string' },
    limit: { type: 'string' },
  },
  maxPositionals: 0,
  run: (call) =>
    withParts(call, async (parts) => {
      refuseEmptyRange(call.values)
      const printer = new FindingPrinter(call, wholeNumber(call.values, 'limit') ?? 100)
      const reports: VerifyReport[] = []
      for (const definition of parts.definitions) reports.push(await verifyOne(definition, parts, call, printer).catch((error: unknown) => Promise.reject(unreadableTable(error, definition))))
      if (call.json) for (const report of reports) call.print(JSON.stringify({ report: toWire(report) }))
      else printSummary(call, reports, printer)
      if (!reports.every((report) => report.isWhole)) return EXIT.found
      return tellNothingCompared(call, reports) ? EXIT.none : EXIT.ok
    }),
}

const PROGRESS_EVERY_MS = 2000

function verifyOne(definition: PipelineDefinition, parts: OpenParts, call: CommandCall, printer: FindingPrinter): Promise<VerifyReport> {
  const { values, signal } = call
  const { transport, progress } = parts
  let toldAt = performance.now()
  return verifyPipeline({
    definition,
    transport,
    ledger: ledgerView(progress, definition),
    stores: storedRowsOf(definition, parts),
    partitions: (values.partition as string[] | undefined)?.map((text) => checkedNumber('partition', text)),
    from: offset(values, 'from'),
    to: offset(values, 'to'),
    deep: values.deep === true,
    rangeSize: wholeNumber(values, 'range'),
    signal,
    onFinding: (finding) => printer.add(finding),
    onProgress: ({ partition, nextOffset, to }) => {
      if (performance.now() - toldAt < PROGRESS_EVERY_MS) return
      toldAt = performance.now()
      call.progress(`${definition.name} ${partition}: at ${nextOffset} of ${to}; to go on from here: --pipeline ${definition.name} --partition ${partition} --from ${nextOffset}`)
    },
  })
}

/** The server's sentence is about a query that the operator never wrote. */
function unreadableTable(error: unknown, { tables }: PipelineDefinition): unknown {
  if (!InfrastructureError.isInstance(error)) return error
  const about = { ERR_CLICKHOUSE_UNKNOWN_OBJECT: `ClickHouse table ${tables.clickhouse}`, ERR_TIMESCALEDB_UNDEFINED: `PostgreSQL table ${tables.timescaledb}` }[error.code]
  if (about === undefined) return error
  return new OperationError(`${about} is not there, or not as a pipeline's table: ${error.message.split(' in scope ')[0]}; "check" tells what it lacks`, { code: error.code, cause: error })
}

function refuseEmptyRange(values: CommandCall['values']): void {
  const [from, to] = [offset(values, 'from'), offset(values, 'to')]
  if (from !== undefined && to !== undefined && to <= from) throw new ConfigurationError(`--to ${to} is not behind --from ${from}: no offset lies between them`)
}

/** "whole" of nothing would be taken for more than it is. */
function tellNothingCompared({ values, progress }: CommandCall, reports: readonly VerifyReport[]): boolean {
  if (values.from === undefined && values.to === undefined) return false
  const partitions = reports.flatMap((report) => report.partitions.map((verdict) => ({ topic: report.topic, ...verdict })))
  if (partitions.some(({ checkedFrom, checkedTo }) => checkedFrom < checkedTo)) return false
  const places = partitions.slice(0, 5).map(({ topic, partition, earliest, position }) => `${topic} ${partition} has ${position === null || position <= earliest ? 'nothing done' : `${earliest} to ${position - 1n} done`}`)
  progress(`nothing was compared: ${places.join(', ')}${partitions.length > places.length ? ', …' : ''}`)
  return true
}

/** Prints findings as they come: all of them for a program, a bounded number for a person. */
class FindingPrinter {
  readonly #call: CommandCall
  readonly #limit: number
  #count = 0

  constructor(call: CommandCall, limit: number) {
    this.#call = call
    this.#limit = limit
  }

  get left(): number {
    return Math.max(0, this.#count - this.#limit)
  }

  add(finding: VerifyFinding): void {
    this.#count++
    if (this.#call.json) this.#call.print(JSON.stringify({ finding: toWire(finding) }))
    else if (this.#count <= this.#limit) this.#call.print(sentenceOf(finding))
  }
}

function sentenceOf({ kind, place, topic, partition, firstOffset, lastOffset, offsets, detail }: VerifyFinding): string {
  const range = firstOffset === lastOffset ? `offset ${firstOffset}` : `offsets ${firstOffset} to ${lastOffset} (${offsets})`
  return `${kind.padEnd(17)} ${place.padEnd(12)} ${topic}, partition ${partition}, ${range}${detail === null ? '' : `: ${detail}`}`
}

function printSummary(call: CommandCall, reports: readonly VerifyReport[], printer: FindingPrinter): void {
  if (printer.left > 0) call.print(`… and ${count(printer.left, 'finding')} more; --json prints all`)
  const rows = reports.flatMap(({ topic, partitions }) =>
    partitions.map((verdict) => {
      const { inFlight } = verdict
      const flight = inFlight === null ? null : `${inFlight.firstOffset}–${inFlight.lastOffset}`
      return [topic, verdict.partition, verdict.checkedFrom, verdict.checkedTo, verdict.records, verdict.good, verdict.dead, verdict.leftOut, verdict.removed, flight ?? '–', verdict.wrong]
    }),
  )
  call.print(tableText(['topic', 'partition', 'from', 'before', 'records', 'good', 'dead', 'left out', 'removed', 'in flight', 'wrong'], rows))
  for (const { topic, partitions, counts, isWhole } of reports) {
    const unknown = partitions.reduce((sum, { lettersUnknown }) => sum + lettersUnknown, 0)
    if (unknown > 0) call.print(`${topic}: ${unknown === 1 ? '1 bad record has' : `${unknown} bad records have`} no dead letter any more; retention removed letters`)
    call.print(isWhole ? `${topic}: ${call.paint('green', 'whole')}` : `${topic}: ${call.paint('red', Object.entries(counts).map(([kind, found]) => `${found} ${kind}`).join(', '))}`)
  }
}

function offset(values: CommandCall['values'], name: 'from' | 'to'): bigint | undefined {
  const text = values[name] as string | undefined
  if (text === undefined) return undefined
  if (!/^\d{1,18}$/.test(text)) throw new ConfigurationError(`--${name} is "${text}", which is no offset: give a whole number`)
  return BigInt(text)
}

function wholeNumber(values: CommandCall['values'], name: 'limit' | 'range'): number | undefined {
  const text = values[name] as string | undefined
  return text === undefined ? undefined : checkedNumber(name, text)
}

function checkedNumber(name: string, text: string): number {
  if (/^\d{1,7}$/.test(text) && (name !== 'range' || Number(text) > 0)) return Number(text)
  throw new ConfigurationError(`--${name} is "${text}", which is not a whole number${name === 'range' ? ' above 0' : ''}`)
}
