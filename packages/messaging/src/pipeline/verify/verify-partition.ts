import { type Clock, type SliceScope, type SliceState, systemClock } from '@smart-whale/interfaces'
import type { PartitionReader } from '../../transport.ts'
import type { IngestRow } from '../event-types.ts'
import type { PipelineDefinition } from '../pipeline-definition.ts'
import type { BatchDecoder } from '../decode-batch.ts'
import { compareContent, comparedColumns } from './compare-content.ts'
import { compareRange, type RangeTally } from './compare-range.ts'
import { ExpectedRange } from './expected-range.ts'
import { FindingGatherer } from './gather-findings.ts'
import type { LetterIndex } from './letter-index.ts'
import { readRange } from './read-range.ts'
import type { VerifyOptions } from './verify-pipeline.ts'
import type { PartitionVerdict, VerifyFinding } from './verify-report.ts'

/** One partition, with what is known before it is read. */
export interface PartitionCase {
  readonly options: VerifyOptions
  readonly scope: SliceScope
  /** As the ledger had it when the comparison began; null when it knows nothing. */
  readonly state: SliceState | null
  readonly letters: LetterIndex
  readonly decode: BatchDecoder
  readonly tell: (finding: VerifyFinding) => void
}

const LAST_OFFSET = 2n ** 63n - 1n

/** Compares one partition, range by range, and looks at what lies behind what is done. */
export async function verifyPartition(given: PartitionCase): Promise<PartitionVerdict> {
  const { options, scope, state, tell } = given
  const { definition, transport, signal, deep = false, rangeSize = deep ? 5_000 : 50_000, onProgress = () => {} } = options
  const findings = new FindingGatherer(definition.topic, scope.partition, tell)
  const reader = await transport.openPartition(definition.topic, scope.partition, { signal })
  try {
    const { earliest, latest } = await reader.bounds({ signal })
    const position = state?.nextOffset ?? null
    const from = largest(earliest, options.from ?? 0n)
    const to = smallest(position ?? 0n, options.to ?? LAST_OFFSET, latest)
    if (position !== null && position < earliest) findings.addRange('lost-to-retention', 'topic', { firstOffset: position, lastOffset: earliest - 1n }, Number(earliest - position))
    const tally: RangeTally = { records: 0, good: 0, dead: 0, leftOut: 0, lettersUnknown: 0, expired: 0 }
    for (let first = from; first < to; first += BigInt(rangeSize)) {
      const last = smallest(first + BigInt(rangeSize), to) - 1n
      add(tally, await verifyRange(given, reader, { first, last }, findings))
      onProgress({ partition: scope.partition, nextOffset: last + 1n, to })
    }
    findings.flush()
    const inFlight = options.to === undefined ? await verifyBehind(given, findings) : null
    findings.flush()
    return { partition: scope.partition, earliest, latest, position, checkedFrom: from, checkedTo: largest(from, to), ...tally, removed: earliest, inFlight, wrong: findings.total }
  } finally {
    await reader.close()
  }
}

async function verifyRange({ options, scope, letters, decode }: PartitionCase, reader: PartitionReader, { first, last }: { first: bigint; last: bigint }, findings: FindingGatherer): Promise<RangeTally> {
  const { definition, stores, signal, deep = false } = options
  const source = { topic: definition.topic, partition: scope.partition, firstOffset: first, lastOffset: last }
  const expected = new ExpectedRange(first, last, deep, expiryIn(definition, options.clock ?? systemClock))
  const readTopic = async (): Promise<void> => {
    for await (const batch of readRange(reader, first, last + 1n, signal)) expected.add(batch, decode)
  }
  const [stored] = await Promise.all([Promise.all([...stores].map(async ([sink, store]) => [sink, await store.storedOffsets(source, { signal })] as const)), readTopic()])
  // What retention removed while it was read can't be told apart from what never was.
  const { earliest } = await reader.bounds({ signal })
  const begin = largest(first, earliest)
  const actual = { stored: new Map(stored), letters: letters.within(scope.partition, first, last), lettersAreCut: letters.isCut }
  const tally = compareRange(expected, begin, actual, findings)
  if (!deep) return tally
  const columns = comparedColumns(definition)
  for (const [sink, store] of stores) compareContent(expected, columns, sink, await store.readStored(source, columns, { signal }), findings)
  return tally
}

/**
 * Rows behind what is done: of the slice in flight, or of slices that are done meanwhile. The ledger is asked again after the rows were
 * looked up, so that a row which any slice accounts for is accounted for by then.
 */
async function verifyBehind({ options, scope, state }: PartitionCase, findings: FindingGatherer): Promise<PartitionVerdict['inFlight']> {
  const { definition, stores, ledger, signal } = options
  const begun = await ledger.inspect(scope, { signal })
  const source = { topic: definition.topic, partition: scope.partition, firstOffset: begun?.nextOffset ?? 0n, lastOffset: LAST_OFFSET }
  const stored = await Promise.all([...stores].map(async ([sink, store]) => [sink, await store.storedOffsets(source, { signal })] as const))
  const now = await ledger.inspect(scope, { signal })
  const done = now?.nextOffset ?? 0n
  const { firstOffset = 1n, lastOffset = 0n } = now?.inFlight ?? {}
  for (const [sink, offsets] of stored) {
    for (const offset of offsets) if (offset >= done && (offset < firstOffset || offset > lastOffset)) findings.add({ kind: 'ahead-of-ledger', place: sink, offset })
  }
  const inFlight = state?.inFlight ?? null
  return inFlight === null ? null : { firstOffset: inFlight.firstOffset, lastOffset: inFlight.lastOffset }
}

const DAY_MS = 86_400_000
/** Clocks differ, and a row may go while it is looked for. */
const EXPIRY_SLACK_MS = 3_600_000

function expiryIn({ clickhouse: { ttlDays }, time }: PipelineDefinition, clock: Clock): (row: IngestRow) => boolean {
  if (ttlDays === null) return () => false
  const cutoff = clock.now() - ttlDays * DAY_MS + EXPIRY_SLACK_MS
  return (row) => row[time] instanceof Date && row[time].getTime() <= cutoff
}

function add(sum: RangeTally, more: RangeTally): void {
  for (const key of Object.keys(sum) as (keyof RangeTally)[]) sum[key] += more[key]
}

const largest = (...offsets: bigint[]): bigint => offsets.reduce((a, b) => (a > b ? a : b))
const smallest = (...offsets: bigint[]): bigint => offsets.reduce((a, b) => (a < b ? a : b))
