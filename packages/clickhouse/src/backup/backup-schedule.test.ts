import { silentLogger } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { BackupInfo, BackupManager, BackupScheduleOptions, CreateBackupOptions } from './backup-options.ts'
import { RepeatedBackups } from './backup-schedule.ts'
import { DatabaseBackupService } from './database-backup-service.ts'


const HOUR_MS = 3_600_000

/** A manager that keeps backups in memory, each made as soon as it is let. */
class MemoryBackups {
  readonly clock = new FakeClock()
  readonly backups: BackupInfo[] = []
  readonly calls: string[] = []
  readonly failing = new Set<string>()
  running = 0
  most = 0
  gate: Promise<void> | null = null
  damaged = false

  readonly manager = {
    createBackup: async (table: string, _partition: undefined, { base, signal }: CreateBackupOptions) => {
      this.most = Math.max(this.most, ++this.running)
      try {
        await this.gate
        if (signal?.aborted || this.failing.has(table)) throw new Error(`no ${table}`)
        const full = this.backups.find((backup) => backup.table === table && backup.kind === 'full')
        const file = `${table}-${this.backups.length}`
        const based = base === 'latest' && full !== undefined
        this.backups.unshift({ file, table, partition: null, createdAt: new Date(this.clock.now()), kind: based ? 'incremental' : 'full', base: based ? full.file : null, rows: 0n, bytes: 0, state: 'complete' })
        this.calls.push(`${based ? 'incremental' : 'full'} ${table}`)
        return file
      } finally {
        this.running--
      }
    },
    verify: async (file: string) => ({ file, ok: !this.damaged, faults: [] }),
    listBackups: async (table: string) => this.backups.filter((backup) => backup.table === table),
    applyRetention: async (table: string) => {
      this.calls.push(`retention ${table}`)
      return ['old']
    },
    schedule: (tables: readonly string[], options: BackupScheduleOptions) => this.repeat(tables, options),
    close: async () => {},
  } as unknown as BackupManager

  repeat(tables: readonly string[], options: BackupScheduleOptions = {}): RepeatedBackups {
    return new RepeatedBackups(this.manager, tables, options, this.clock, silentLogger)
  }
}

describe('scheduled backups', () => {
  it('begin at once and come back every so many hours, each table in turn, with retention after each', async () => {
    const world = new MemoryBackups()
    const schedule = world.repeat(['a', 'b'], { intervalHours: 2, retention: { keep: 1 } })

    await world.clock.advance(0)
    expect(world.calls).toEqual(['full a', 'retention a', 'full b', 'retention b'])
    expect(schedule.nextAt?.getTime()).toBe(world.clock.now() + 2 * HOUR_MS)
    await world.clock.advance(4 * HOUR_MS)

    expect(world.calls).toHaveLength(12)
    expect(schedule.lastRound).toMatchObject({ made: ['a-4', 'b-5'], failed: [], deleted: ['old', 'old'] })
    await schedule.stop()
    await world.clock.advance(100 * HOUR_MS)
    expect(world.calls).toHaveLength(12)
    expect(schedule.nextAt).toBeNull()
  })

  it('never overlap: a round that takes longer than the interval is followed by one, not by all that were missed', async () => {
    const world = new MemoryBackups()
    let open = (): void => {}
    world.gate = new Promise((resolve) => void (open = resolve))
    const schedule = world.repeat(['a'], { intervalHours: 1 })

    await world.clock.advance(5.5 * HOUR_MS)
    open()
    await world.clock.advance(0)
    await world.clock.advance(0)
    await world.clock.advance(0.9 * HOUR_MS)

    expect({ most: world.most, made: world.backups.length }).toEqual({ most: 1, made: 2 })
    await schedule.stop()
  })

  it('go on after a failure, which is told, and do not let it delete anything', async () => {
    const world = new MemoryBackups()
    world.failing.add('a')
    const failures: string[] = []
    const schedule = world.repeat(['a', 'b'], {
      intervalHours: 1,
      retention: { keep: 1 },
      onFailure: (table, { message }) => {
        failures.push(`${table}: ${message}`)
        throw new TypeError('a listener that fails')
      },
    })

    await world.clock.advance(0)
    expect({ failures, calls: world.calls }).toEqual({ failures: ['a: no a'], calls: ['full b', 'retention b'] })
    world.failing.clear()
    world.damaged = true
    await world.clock.advance(HOUR_MS)
    expect(failures.slice(1)).toEqual([expect.stringContaining('does not read as it was written'), expect.stringContaining('does not read as it was written')])
    expect(world.calls.filter((call) => call.startsWith('retention'))).toEqual(['retention b'])
    await schedule.stop()
  })

  it('make a full one every so many', async () => {
    const world = new MemoryBackups()
    const schedule = world.repeat(['a'], { intervalHours: 1, fullEvery: 3 })

    await world.clock.advance(6 * HOUR_MS)

    expect(world.calls).toEqual(['full a', 'incremental a', 'incremental a', 'full a', 'incremental a', 'incremental a', 'full a'])
    await schedule.stop()
  })

  it('are started once, through the service, and refuse an interval that is none', async () => {
    const world = new MemoryBackups()
    const service = new DatabaseBackupService(world.manager)

    const schedule = service.startScheduledBackups(['a'])

    expect(() => service.startScheduledBackups(['a'])).toThrow('run already')
    expect(() => world.repeat(['a'], { intervalHours: 0 })).toThrow('above 0')
    await world.clock.advance(24 * HOUR_MS)
    expect(world.backups).toHaveLength(2)
    await service.stop()
    expect(schedule.nextAt).toBeNull()
  })
})
