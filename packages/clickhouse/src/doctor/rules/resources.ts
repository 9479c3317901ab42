import { count, found, percent, rowRule, size } from '../rule.ts'

interface DiskRow {
  name: string
  free_space: number
  total_space: number
  is_broken: number
  is_read_only: number
}

/** Object storage says that it has this much. */
const BOUNDLESS = 2 ** 62

/** Disks that are nearly full, broken or read-only. */
export const diskSpace = rowRule<DiskRow & Record<string, unknown>>({
  name: 'disk-space',
  summary: 'disks that are nearly full, broken or read-only; a merge needs room for its result',
  read: ({ ask }) => ask('SELECT name, toFloat64(free_space) AS free_space, toFloat64(total_space) AS total_space, is_broken, is_read_only FROM system.disks'),
  judge: (rows, { freeDiskShare }) =>
    rows.flatMap((row) => {
      const figures = { freeBytes: Number(row.free_space), totalBytes: Number(row.total_space) }
      if (Number(row.is_broken) === 1) return [found('critical', `disk ${row.name}`, 'the server takes the disk for broken and does not use it', { figures })]
      const share = figures.totalBytes === 0 || figures.totalBytes >= BOUNDLESS ? 1 : figures.freeBytes / figures.totalBytes
      if (share >= freeDiskShare) return []
      return [
        found(share < freeDiskShare / 3 ? 'critical' : 'warning', `disk ${row.name}`, `${size(figures.freeBytes)} of ${size(figures.totalBytes)} are free (${percent(share)}); a merge that finds no room is put off, and parts pile up`, {
          figures,
          advice: 'see the findings on retention and on system logs; SELECT database, table, formatReadableSize(sum(bytes_on_disk)) FROM system.parts GROUP BY ALL ORDER BY sum(bytes_on_disk) DESC tells what takes the space',
        }),
      ]
    }),
})

interface MemoryRow {
  used: number
  server_limit: number
  query_limit: number
}

/** Memory of the server, and what one query may take of it. */
export const memoryLimits = rowRule<MemoryRow & Record<string, unknown>>({
  name: 'memory-limits',
  summary: 'a server near its memory limit, or queries that may take all of it',
  read: ({ ask }) =>
    ask(`SELECT
      (SELECT toFloat64(value) FROM system.metrics WHERE metric = 'MemoryTracking') AS used,
      (SELECT toFloat64(value) FROM system.server_settings WHERE name = 'max_server_memory_usage') AS server_limit,
      toFloat64(getSetting('max_memory_usage')) AS query_limit`),
  judge: ([row], { usedMemoryShare }) => {
    if (row === undefined) return []
    const [used, serverLimit, queryLimit] = [Number(row.used), Number(row.server_limit), Number(row.query_limit)]
    const figures = { usedBytes: used, serverLimitBytes: serverLimit, queryLimitBytes: queryLimit }
    const nearLimit = serverLimit > 0 && used / serverLimit >= usedMemoryShare
    return [
      ...(nearLimit ? [found('critical', 'server memory', `${size(used)} of ${size(serverLimit)} are in use (${percent(used / serverLimit)}); queries will fail with MEMORY_LIMIT_EXCEEDED`, { figures, advice: 'SELECT query_id, formatReadableSize(memory_usage), query FROM system.processes ORDER BY memory_usage DESC tells who has it' })] : []),
      ...(queryLimit === 0 || (serverLimit > 0 && queryLimit > serverLimit)
        ? [
            found('advice', 'query memory', `one query of this user may take ${queryLimit === 0 ? 'any amount' : size(queryLimit)} of the server's ${size(serverLimit)}: a single one can make all others fail`, {
              figures,
              advice: `give users a profile with max_memory_usage, ${count(Math.round(serverLimit / 4))} (a quarter) at most, and max_bytes_before_external_group_by of half of that`,
            }),
          ]
        : []),
    ]
  },
})

interface WarningRow {
  message: string
}

/** What the server warns of by itself. */
export const serverWarnings = rowRule<WarningRow & Record<string, unknown>>({
  name: 'server-warnings',
  summary: "the server's own warnings about its machine and configuration",
  read: ({ ask }) => ask('SELECT message FROM system.warnings LIMIT 50'),
  judge: (rows) => rows.map(({ message }) => found('advice', 'server', message)),
})

interface ErrorRow {
  name: string
  value: number
  last_error_message: string
  seconds_ago: number
}

const GRAVE = new Set(['CORRUPTED_DATA', 'CHECKSUM_DOESNT_MATCH', 'NOT_ENOUGH_SPACE', 'TOO_MANY_PARTS', 'NO_SUCH_DATA_PART', 'TOO_MANY_UNEXPECTED_DATA_PARTS', 'KEEPER_EXCEPTION', 'CANNOT_READ_ALL_DATA', 'CANNOT_ALLOCATE_MEMORY', 'MEMORY_LIMIT_EXCEEDED', 'TABLE_IS_READ_ONLY', 'REPLICA_IS_ALREADY_ACTIVE', 'LOGICAL_ERROR'])

/** Errors of the last hour that nobody caused by a mistyped query. */
export const recentErrors = rowRule<ErrorRow & Record<string, unknown>>({
  name: 'recent-errors',
  summary: 'errors of the last hour that tell of damage, full disks, memory or Keeper',
  read: ({ ask }) =>
    ask("SELECT name, sum(value) AS value, any(last_error_message) AS last_error_message, toUnixTimestamp(now()) - toUnixTimestamp(max(last_error_time)) AS seconds_ago FROM system.errors WHERE last_error_time > now() - INTERVAL 1 HOUR GROUP BY name"),
  judge: (rows) =>
    rows
      .filter(({ name }) => GRAVE.has(name))
      .map((row) => found('warning', row.name, `${count(row.value)} times since the start, last ${count(row.seconds_ago)} s ago: ${row.last_error_message.slice(0, 200)}`, { figures: { times: Number(row.value), secondsAgo: Number(row.seconds_ago) } })),
})
