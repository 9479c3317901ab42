import { describe, expect, it } from 'vitest'
import type { Setup } from './model/play-history.ts'
import { playRandomHistories, playToldHistory, type ToldHistory } from './model/random-histories.ts'

const ALONE: Setup = { sinks: 'timescaledb', chunk: 1, maxRows: 1, hasViews: false, isRedefined: false }

/** Histories that went wrong once. */
const HISTORIES: readonly (ToldHistory & { readonly what: string })[] = [
  {
    what: 'send no letter twice when the ledger lost the commit that knew of the first one',
    events: ['refused-by-timescaledb', 'good'],
    odd: [[8, 'fails-after'], [10, 'replica-takes-over'], [17, 'pauses-before'], [19, 'fails-after'], [20, 'replica-takes-over', 15]],
    mayLoseCommits: true,
    how: ALONE,
  },
  {
    what: 'make nothing anew of which a view may have been fed, though the row has expired and its neighbour was excluded',
    events: ['old', 'refused-by-timescaledb', 'good'],
    odd: [[0, 'replica-takes-over'], [2, 'replica-takes-over'], [5, 'fails-before'], [6, 'pauses-before', 9], [10, 'pauses-after', 39], [11, 'fails-before']],
    mayLoseCommits: false,
    how: { sinks: 'both', chunk: 1, maxRows: 1, hasViews: true, isRedefined: true },
  },
  {
    what: 'don’t take rows for ones of a lost ledger that another worker stored, and a replica lost before the ledger was asked',
    events: ['good'],
    odd: [[0, 'pauses-before'], [3, 'fails-before'], [4, 'pauses-after', 10], [5, 'pauses-before', 9], [15, 'fails-after'], [16, 'replica-takes-over'], [17, 'replica-takes-over', 21], [18, 'replica-takes-over', 35]],
    mayLoseCommits: true,
    how: ALONE,
  },
  {
    what: 'send no letter twice when its place went with a failover while its owner was suspended',
    events: ['undecodable', 'good'],
    odd: [[12, 'pauses-before', 5], [13, 'replica-takes-over', 1]],
    mayLoseCommits: true,
    how: ALONE,
  },
  {
    what: 'send no letter twice that a replica forgot together with its sender, and whose place is looked up by an owner that slept meanwhile',
    events: ['undecodable'],
    odd: [[8, 'pauses-before', 17], [11, 'replica-takes-over', 2], [13, 'dies-after', 8], [27, 'replica-takes-over', 3]],
    mayLoseCommits: true,
    how: { ...ALONE, maxRows: 2 },
  },
]

describe('partition workers, killed, suspended, failed and held up at any step', () => {
  it.each(['both', 'clickhouse', 'timescaledb'] as const)('put every good record into each store once, and every bad one into the dead letters and nowhere else (%s)', async (sinks) => {
    await expect(playRandomHistories(sinks, { numRuns: 300, endOnFailure: true })).resolves.toBeUndefined()
  })

  it.each(HISTORIES)('$what', async (history) => {
    await expect(playToldHistory(history)).resolves.toBeUndefined()
  })
})
