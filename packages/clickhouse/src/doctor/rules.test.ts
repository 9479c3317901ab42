import { describe, expect, it } from 'vitest'
import { ALL_RULES } from './all-rules.ts'
import { applyFixes } from './apply-fixes.ts'
import type { DoctorFinding } from './finding.ts'
import { smallInserts } from './rules/ingest.ts'
import { tooManyParts } from './rules/parts.ts'
import { missingReplicas, readonlyReplicas, replicationLag } from './rules/replication.ts'
import { diskSpace, memoryLimits, recentErrors, serverWarnings } from './rules/resources.ts'
import { systemLogs } from './rules/retention.ts'
import { usersWithoutLimits } from './rules/users.ts'
import { failingRefreshes } from './rules/views.ts'
import { DEFAULT_THRESHOLDS } from './thresholds.ts'

// Rows as system tables have them, of servers that can't run here: no Keeper, no full disk, no users by SQL.
const REPLICA = { database: 'app', table: 'rides', is_readonly: 0, is_session_expired: 0, absolute_delay: 0n, queue_size: 0, total_replicas: 3, active_replicas: 3, lost_part_count: 0n, zookeeper_exception: '' } as never as Parameters<typeof readonlyReplicas.judge>[0][number]
const replica = (more: Record<string, unknown>): typeof REPLICA => ({ ...REPLICA, ...more })

describe('a replica', () => {
  it('that is well is no finding', () => {
    for (const rule of [readonlyReplicas, replicationLag, missingReplicas]) expect(rule.judge([REPLICA], DEFAULT_THRESHOLDS)).toEqual([])
  })

  it('that refuses inserts is critical, and told why', () => {
    expect(readonlyReplicas.judge([replica({ is_readonly: 1, zookeeper_exception: 'Session expired' })], DEFAULT_THRESHOLDS)).toMatchObject([
      { severity: 'critical', object: 'app.rides', reason: 'the replica refuses inserts: Session expired', fixes: [{ sql: 'SYSTEM RESTART REPLICA `app`.`rides`' }] },
    ])
  })

  it.each([
    [299n, []],
    [300n, ['warning']],
    [4000n, ['critical']],
  ] as const)('that is %d s behind', (absolute_delay, severities) => {
    expect(replicationLag.judge([replica({ absolute_delay, queue_size: 12 })], DEFAULT_THRESHOLDS).map(({ severity }) => severity)).toEqual(severities)
  })

  it('that is away, and parts that are lost', () => {
    const findings = missingReplicas.judge([replica({ active_replicas: 2 }), replica({ lost_part_count: 3n })], DEFAULT_THRESHOLDS)

    expect(findings.map(({ severity, reason }) => [severity, reason])).toEqual([
      ['warning', '2 of 3 replicas are there'],
      ['critical', '3 parts are lost on every replica; 3 of 3 replicas are there'],
    ])
  })
})

describe('a server', () => {
  it.each([
    [{ free_space: 50, total_space: 100 }, []],
    [{ free_space: 14, total_space: 100 }, ['warning']],
    [{ free_space: 4, total_space: 100 }, ['critical']],
    [{ free_space: 90, total_space: 100, is_broken: 1 }, ['critical']],
    // Object storage says that it has no end.
    [{ free_space: 1, total_space: 2 ** 64 }, []],
  ])('with the disk %j', (disk, severities) => {
    expect(diskSpace.judge([{ name: 'default', is_broken: 0, is_read_only: 0, ...disk }], DEFAULT_THRESHOLDS).map(({ severity }) => severity)).toEqual(severities)
  })

  it.each([
    [{ used: 1e9, server_limit: 10e9, query_limit: 1e9 }, []],
    [{ used: 9.5e9, server_limit: 10e9, query_limit: 1e9 }, ['critical']],
    [{ used: 1e9, server_limit: 10e9, query_limit: 0 }, ['advice']],
  ])('with the memory %j', (memory, severities) => {
    expect(memoryLimits.judge([memory], DEFAULT_THRESHOLDS).map(({ severity }) => severity)).toEqual(severities)
  })

  it('tells of its errors those that a mistyped query does not cause, and its warnings', () => {
    const error = (name: string) => ({ name, value: 2n as never, last_error_message: 'bad part', seconds_ago: 9 })

    expect(recentErrors.judge([error('SYNTAX_ERROR'), error('CHECKSUM_DOESNT_MATCH')], DEFAULT_THRESHOLDS).map(({ object, reason }) => `${object}: ${reason}`)).toEqual(['CHECKSUM_DOESNT_MATCH: 2 times since the start, last 9 s ago: bad part'])
    expect(serverWarnings.judge([{ message: 'Linux transparent hugepages are set to "always"' }], DEFAULT_THRESHOLDS)).toHaveLength(1)
  })

  it('has logs that grow for ever, and old ones that nobody writes any more', () => {
    const findings = systemLogs.judge([{ table: 'trace_log', bytes: 2 ** 30, rows: 5, oldest_days: 90 }, { table: 'trace_log_0', bytes: 2 ** 30, rows: 5, oldest_days: 90 }], DEFAULT_THRESHOLDS)

    expect(findings.map(({ fixes }) => fixes[0]?.sql)).toEqual(['ALTER TABLE system.`trace_log` MODIFY TTL event_date + INTERVAL 30 DAY', 'DROP TABLE system.`trace_log_0`'])
    expect(findings.every(({ fixes }) => fixes.every(({ caution }) => caution !== undefined))).toBe(true)
  })

  it('is near the end when a partition has half the parts at which inserts are refused', () => {
    const parts = (count: number) => tooManyParts.judge([{ database: 'a', table: 'b', partition_id: 'all', parts: count, rows: 10, throws_at: 3000 }], DEFAULT_THRESHOLDS)[0]?.severity

    expect([parts(400), parts(1500)]).toEqual(['warning', 'critical'])
  })

  it('gets inserts that are too small', () => {
    expect(smallInserts.judge([{ tables: ['app.rides'], inserts: 5000n as never, rows: 5000n as never }], DEFAULT_THRESHOLDS)).toMatchObject([{ object: 'app.rides', reason: '5,000 inserts in a day, of 1 rows on average; each makes a part that is merged again and again' }])
  })

  it('has views whose refresh failed', () => {
    expect(failingRefreshes.judge([{ database: 'app', view: 'daily', exception: 'Memory limit', status: 'Scheduled' }], DEFAULT_THRESHOLDS)).toMatchObject([{ severity: 'critical', fixes: [{ sql: 'SYSTEM REFRESH VIEW `app`.`daily`' }] }])
  })
})

describe('a user', () => {
  it('without a password from anywhere is critical; one without limits may keep others from working', () => {
    const findings = usersWithoutLimits.judge(
      [
        { user: 'default', open: 1, settings: ['max_execution_time'] },
        { user: 'app', open: 0, settings: ['readonly'] },
        { user: 'bound', open: 0, settings: ['max_execution_time', 'max_memory_usage'] },
      ],
      DEFAULT_THRESHOLDS,
    )

    expect(findings.map(({ severity, object }) => [severity, object])).toEqual([
      ['critical', 'user default'],
      ['advice', 'user app'],
    ])
  })
})

describe('rules', () => {
  it('have names and summaries of their own', () => {
    expect(new Set(ALL_RULES.map(({ name }) => name)).size).toBe(ALL_RULES.length)
    expect(new Set(ALL_RULES.map(({ summary }) => summary)).size).toBe(ALL_RULES.length)
  })
})

describe('fixes of one finding', () => {
  it('end with the first that needs caution', async () => {
    const sent: string[] = []
    const adapter = { execute: async (sql: string) => void sent.push(sql) } as never
    const finding: DoctorFinding = { rule: 'r', severity: 'advice', object: 'o', reason: '', figures: {}, fixes: [{ sql: 'A' }, { sql: 'B', caution: 'deletes' }, { sql: 'C' }] }

    const careful = await applyFixes(adapter, [finding])

    expect(careful.map(({ outcome }) => outcome)).toEqual(['applied', 'left', 'left'])
    expect(sent).toEqual(['A'])
  })
})
