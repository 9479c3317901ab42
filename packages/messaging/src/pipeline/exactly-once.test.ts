import { describe, expect, it } from 'vitest'
import type { Setup } from './model/play-history.ts'
import { playRandomHistories, playToldHistory, type ToldHistory } from './model/random-histories.ts'

const ALONE: Setup = { sinks: 'timescaledb', chunk: 1, maxRows: 1, hasViews: false, isRedefined: false }

/** Histories that went wrong once. */
const HISTORIES: readonly (ToldHistory & { readonly what: string })[] = [
  {
    what: 'send no letter twice when the ledger lost the commit that knew of the first one',
    events: ['refused-by-timescaledb'],
    odd: [[10, 'fails-after'], [13, 'fails-after'], [19, 'replica-takes-over', 1], [24, 'replica-takes-over', 1]],
    mayLoseCommits: true,
    how: ALONE,
  },
  {
    what: 'make nothing anew of which a view may have been fed, though the row has expired and its neighbour was excluded',
    events: ['old', 'refused-by-timescaledb'],
    odd: [[12, 'fails-after'], [15, 'fails-after'], [28, 'fails-after'], [40, 'pauses-before', 4]],
    mayLoseCommits: false,
    how: { sinks: 'both', chunk: 1, maxRows: 1, hasViews: true, isRedefined: true },
  },
  {
    what: 'don’t take rows for ones of a lost ledger that another worker stored, and a replica lost before the ledger was asked',
    events: ['good'],
    odd: [[10, 'pauses-before', 22], [12, 'pauses-after', 21], [26, 'replica-takes-over', 2], [30, 'fails-before'], [33, 'pauses-after', 10]],
    mayLoseCommits: true,
    how: ALONE,
  },
  {
    what: 'send no letter twice when its place went with a failover while its owner was suspended, who goes on while his successor looks',
    events: ['undecodable', 'good', 'undecodable'],
    odd: [[14, 'pauses-before', 7], [15, 'replica-takes-over', 1], [25, 'pauses-before', 19]],
    mayLoseCommits: true,
    how: { ...ALONE, maxRows: 2 },
  },
  {
    what: 'send no letter twice that a replica forgot together with its sender, and whose place is looked up by an owner that slept meanwhile',
    events: ['undecodable'],
    odd: [[8, 'pauses-before', 17], [11, 'replica-takes-over', 2], [13, 'dies-after', 8], [27, 'replica-takes-over', 3]],
    mayLoseCommits: true,
    how: { ...ALONE, maxRows: 2 },
  },
  {
    what: 'send no letter twice for another definition, of a slice whose letters a failover forgot',
    events: ['refused-by-timescaledb', 'refused-by-definition'],
    odd: [[6, 'pauses-before', 10], [27, 'server-fails', 7]],
    mayLoseCommits: true,
    how: { ...ALONE, isRedefined: true },
  },
  {
    what: 'leave what has a letter in the dead letters, though the definition that sent it is forgotten',
    events: ['refused-by-definition'],
    odd: [[8, 'replica-takes-over', 3], [11, 'dies-before'], [25, 'replica-takes-over', 1]],
    mayLoseCommits: true,
    how: { ...ALONE, isRedefined: true },
  },
  {
    what: 'go on where a failover forgot a slice whose row is stored, and another definition recorded it anew without that row',
    events: ['refused-by-clickhouse', 'refused-by-definition'],
    odd: [[8, 'pauses-before', 2], [23, 'pauses-before', 17], [54, 'replica-takes-over', 23]],
    mayLoseCommits: true,
    how: { sinks: 'both', chunk: 2, maxRows: 1, hasViews: false, isRedefined: true },
  },
  {
    what: 'keep what was recorded of a slice after a request that was held up and comes late: its token fed a view with a row that has expired',
    events: ['refused-by-timescaledb', 'old'],
    odd: [[17, 'arrives-late', 7], [24, 'pauses-before', 0]],
    mayLoseCommits: false,
    how: { sinks: 'both', chunk: 1, maxRows: 1, hasViews: true, isRedefined: false },
  },
  {
    what: 'keep what a pipeline has begun since it was taken over, when a command that was suspended in the middle of that goes on',
    events: ['old'],
    odd: [
      ...[1, 2, 4, 8, 10, 18, 22, 23, 25, 26, 28, 29, 37, 40].map((step) => [step, 'fails-before'] as const),
      [0, 'pauses-after', 37], [34, 'dies-after'], [41, 'pauses-before', 29],
    ],
    mayLoseCommits: false,
    how: { sinks: 'clickhouse', chunk: 1, maxRows: 1, hasViews: true, isRedefined: false, renamedAfter: [2] },
  },
  {
    what: 'leave a slice that a failover forgot to the definition that stored its rows',
    events: ['refused-by-definition', 'good'],
    odd: [[0, 'fails-before'], [16, 'replica-takes-over', 1], [17, 'pauses-before']],
    mayLoseCommits: true,
    how: { ...ALONE, sinks: 'both', isRedefined: true },
  },
  {
    what: 'wait for no letters that a worker had open when it was killed, where another pipeline takes over from it',
    events: ['undecodable', 'good'],
    odd: [[22, 'dies-after']],
    mayLoseCommits: false,
    how: { ...ALONE, sinks: 'both', chunk: 2, renamedAfter: [1] },
  },
  {
    what: 'wait for no letters of one’s own that were taken back without an answer',
    events: ['undecodable', 'good'],
    odd: [[22, 'fails-before'], [23, 'fails-before']],
    mayLoseCommits: false,
    how: { ...ALONE, sinks: 'both', chunk: 2 },
  },
  {
    what: 'take no ledger for lost in which progress became theirs between two looks',
    events: ['good', 'good', 'good'],
    odd: [[19, 'dies-before'], [25, 'pauses-before', 1]],
    mayLoseCommits: false,
    how: { ...ALONE, chunk: 2, maxRows: 5, renamedAfter: [1], isHasty: true },
  },
  {
    what: 'take no ledger for lost in which progress became theirs, and was given on to a third, between two looks',
    events: ['good', 'good', 'good'],
    odd: [[19, 'dies-before'], [24, 'pauses-after', 11], [26, 'pauses-before', 8]],
    mayLoseCommits: false,
    how: { ...ALONE, chunk: 2, maxRows: 5, renamedAfter: [1, 1], isHasty: true },
  },
  {
    what: 'begin nothing anew that was given away while a worker slept before its claim, though nothing was known of the partition when it looked, and ClickHouse’s table still is its own',
    events: ['undecodable'],
    odd: [[5, 'pauses-before', 10], [13, 'dies-after']],
    mayLoseCommits: false,
    how: { ...ALONE, sinks: 'clickhouse', isLedgerApart: true, renamedAfter: [2] },
  },
  {
    what: 'give no table without its progress, by a command that found nothing left to do, and slept until both were taken back',
    events: ['good'],
    odd: [[6, 'pauses-before', 26], [7, 'pauses-after', 25]],
    mayLoseCommits: true,
    how: { ...ALONE, sinks: 'clickhouse', renamedAfter: [0, 0], isRenamedBack: true },
  },
]

describe('partition workers, killed, suspended, failed and held up at any step', () => {
  // `npm run test:faults -- pipeline-models` plays tens of thousands.
  it.each(['both', 'clickhouse', 'timescaledb'] as const)('put every good record into each store once, and every bad one into the dead letters and nowhere else (%s)', { timeout: 60_000 }, async (sinks) => {
    await expect(playRandomHistories(sinks, { numRuns: 150, endOnFailure: true })).resolves.toBeUndefined()
  })

  it.each(HISTORIES)('$what', async (history) => {
    await expect(playToldHistory(history)).resolves.toBeUndefined()
  })
})
