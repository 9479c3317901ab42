import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BackupInfo } from './backup-options.ts'
import { backupsToDelete } from './retention.ts'

const HOUR_MS = 3_600_000
const NOW_MS = Date.UTC(2026, 0, 31)

const backup = (file: string, ageHours: number, base: string | null = null, more: Partial<BackupInfo> = {}): BackupInfo => ({
  file,
  table: 'd.t',
  partition: null,
  createdAt: new Date(NOW_MS - ageHours * HOUR_MS),
  kind: base === null ? 'full' : 'incremental',
  base,
  rows: 1n,
  bytes: 1,
  state: 'complete',
  ...more,
})

const names = (backups: readonly BackupInfo[]): string[] => backups.map(({ file }) => file)

describe('backupsToDelete', () => {
  it('keeps the newest ones, those that are young enough, and all where nothing is said', () => {
    const backups = [backup('a', 1), backup('b', 25), backup('c', 49), backup('d', 73)]

    expect(names(backupsToDelete(backups, { keep: 2 }, NOW_MS))).toEqual(['c', 'd'])
    expect(names(backupsToDelete(backups, { maxAgeMs: 30 * HOUR_MS }, NOW_MS))).toEqual(['c', 'd'])
    expect(names(backupsToDelete(backups, { keep: 3, maxAgeMs: 30 * HOUR_MS }, NOW_MS))).toEqual(['d'])
    expect(backupsToDelete(backups, {}, NOW_MS)).toEqual([])
  })

  it('keeps the base of a kept one, the newest one however old, and what is damaged', () => {
    expect(names(backupsToDelete([backup('more', 1, 'full'), backup('old', 50, 'full'), backup('full', 100)], { keep: 1 }, NOW_MS))).toEqual(['old'])
    expect(backupsToDelete([backup('a', 1000)], { maxAgeMs: HOUR_MS }, NOW_MS)).toEqual([])
    expect(names(backupsToDelete([backup('x', 0, null, { state: 'damaged' }), backup('a', 1), backup('b', 2)], { keep: 1 }, NOW_MS))).toEqual(['b'])
    expect(names(backupsToDelete([backup('p', 1, null, { partition: '200101' }), backup('a', 2)], { keep: 1 }, NOW_MS))).toEqual([])
  })

  it('never lets the base of a kept backup go, nor a base before what is based on it', () => {
    const chain = fc.array(fc.record({ ageHours: fc.nat(200), based: fc.boolean() }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(chain, fc.integer({ min: 1, max: 5 }), fc.nat(100), (shapes, keep, maxAgeHours) => {
        const sorted = [...shapes].sort((one, other) => other.ageHours - one.ageHours)
        let full = 'b0'
        const backups = sorted.map(({ ageHours, based }, index) => {
          const base = based && index > 0 ? full : null
          if (base === null) full = `b${index}`
          return backup(`b${index}`, ageHours, base)
        })

        const goes = names(backupsToDelete(backups, { keep, maxAgeMs: maxAgeHours * HOUR_MS }, NOW_MS))

        const kept = backups.filter(({ file }) => !goes.includes(file))
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(keep, backups.length))
        for (const { base } of kept) expect(goes).not.toContain(base)
        for (const { file, base } of backups) if (base !== null && goes.includes(base)) expect(goes.indexOf(file)).toBeLessThan(goes.indexOf(base))
      }),
    )
  })
})
