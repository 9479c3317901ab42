import { type AbuseCase, casesOf } from './abuse-case.ts'

/** The server's own tables, and statements that read them. */
export const SYSTEM_TABLES: readonly AbuseCase[] = casesOf('system tables', [
  ...['tables', 'columns', 'databases', 'parts', 'parts_columns', 'processes', 'query_log', 'query_thread_log', 'users', 'roles', 'grants', 'row_policies', 'quotas', 'settings', 'settings_profiles', 'server_settings', 'disks', 'clusters', 'replicas', 'mutations', 'dictionaries', 'named_collections', 'asynchronous_metrics', 'metrics', 'events', 'errors', 'functions', 'data_skipping_indices', 'query_cache', 'user_directories', 'session_log', 'one'].map(
    (name) => `SELECT * FROM system.${name}`,
  ),
  'SELECT * FROM `system`.`tables`',
  'SELECT * FROM "system"."tables"',
  'SELECT * FROM `sys\\x74em`.tables',
  'SELECT * FROM system . tables',
  'SELECT * FROM system/**/.tables',
  'SELECT * FROM information_schema.tables',
  'SELECT * FROM INFORMATION_SCHEMA.COLUMNS',
  { query: 'SELECT * FROM {d:Identifier}.tables', params: { d: 'system' } },
  { query: 'SELECT * FROM {t:Identifier}', params: { t: 'system.tables' } },
  'SELECT (SELECT count() FROM system.tables)',
  'SHOW TABLES',
  'SHOW DATABASES',
  'SHOW PROCESSLIST',
  'SHOW USERS',
  'SHOW ACCESS',
  'SHOW GRANTS',
  'SHOW POLICIES',
  'SHOW CREATE USER',
  'SHOW CREATE TABLE <table>',
  'SHOW CREATE TABLE <other>',
  'SHOW COLUMNS FROM <other>',
  'SHOW INDEX FROM <table>',
  'SHOW SETTINGS LIKE \'%\'',
  'SHOW CLUSTERS',
  'DESCRIBE <other>',
  'DESCRIBE system.tables',
  'EXISTS <other>',
])

/** Whether a table, a column or a user is there, told by how it is refused. The suite compares the answers with those for what isn't there. */
export const ERROR_TEXTS: readonly AbuseCase[] = casesOf('error texts', [
  'SELECT nothing FROM <other>',
  'SELECT canar FROM <other>',
  'SELECT canary + 1 FROM <other>',
  'SELECT * FROM <other>s',
  'SELECT * FROM <other> AS o JOIN <table> AS t ON o.canary = t.nothing',
  'SELECT * FROM fligths',
  'SELECT secrt FROM <table>',
  "SELECT hasColumnInTable('foreign', 'secrets', 'canary')",
  'SELECT toUInt8(secret) FROM <table>',
  "SELECT CAST(secret AS UUID) FROM <table>",
  "SELECT parseDateTime(secret, '%Y') FROM <table>",
  "SELECT JSONExtract(secret, 'x') + 'a' FROM <table>",
  'SELECT throwIf(1, secret) FROM <table>',
  "SELECT throwIf(count() > 0, 'rows') FROM <table>",
  'SELECT unknownFunctionOfMine(1)',
  'SELECT',
  'SELECT * FROM',
  "SELECT 'open",
  'SELECT (((((1',
])

/** How much there is of others: plans, estimates, hidden columns. */
export const COUNTS: readonly AbuseCase[] = casesOf('counts', [
  'EXPLAIN ESTIMATE SELECT * FROM <table>',
  'EXPLAIN indexes = 1 SELECT * FROM <table>',
  'EXPLAIN PLAN actions = 1 SELECT * FROM <table>',
  'EXPLAIN PIPELINE SELECT * FROM <table>',
  'EXPLAIN QUERY TREE SELECT * FROM <table>',
  'EXPLAIN SELECT * FROM <table>',
  'explain estimate select * from <table>',
  'EXPLAIN /* x */ ESTIMATE SELECT * FROM <table>',
  'SELECT * FROM (EXPLAIN ESTIMATE SELECT * FROM <table>)',
  'SELECT min(_part_offset), max(_part_offset) FROM <table>',
  'SELECT _part, count() FROM <table> GROUP BY _part',
  'SELECT `_part_offset` FROM <table>',
  'SELECT "_part\\x5foffset" FROM <table>',
  'SELECT t._part_offset FROM <table> AS t',
  'SELECT _partition_id, _block_number FROM <table>',
  'SELECT _sample_factor, _part_uuid, _part_index FROM <table>',
  'SELECT * FROM <table> WHERE _part_offset < 3',
  { query: 'SELECT {c:Identifier} FROM <table>', params: { c: '_part_offset' } },
  "SELECT blockSerializedSize(1), partitionId(1)",
])

/** How long it takes tells what is there. */
export const TIMING: readonly AbuseCase[] = casesOf('timing', [
  'SELECT sleep(1)',
  'SELECT sleepEachRow(0.1) FROM <table>',
  "SELECT if(tenant = '<foreign>', sleep(1), 0) FROM <table>",
  "SELECT * FROM <table> WHERE tenant = '<foreign>' AND sleepEachRow(0.5) = 0",
  "SELECT * FROM <table> WHERE SLEEP(1) = 0",
  'SELECT `sl\\x65ep`(1)',
])

/** What tells of the host, of the server and of its users. */
export const HOST: readonly AbuseCase[] = casesOf('host', [
  ...['hostName', 'hostname', 'FQDN', 'fullHostName', 'displayName', 'serverUUID', 'uptime', 'tcpPort', 'buildId', 'getOSKernelVersion', 'filesystemAvailable', 'filesystemCapacity', 'shardNum', 'zookeeperSessionUptime', 'version', 'VERSION', 'currentUser', 'user', 'session_user', 'authenticatedUser', 'connection_id', 'currentProfiles', 'currentRoles', 'enabledRoles', 'connectionId'].map(
    (name) => `SELECT ${name}()`,
  ),
  ...['currentUser', 'CURRENT_USER', '`session_user`'].map((name) => `SELECT ${name}`),
  'SELECT addressToLine(1::UInt64)',
  'SELECT demangle(\'_Z1a\')',
])

/** Queries that would take the server's time and memory until it has none. */
export const EXHAUSTION: readonly AbuseCase[] = casesOf('exhaustion', [
  'SELECT sum(a.number * b.number) FROM numbers(1000000) AS a, numbers(1000000) AS b',
  'SELECT * FROM numbers(1000000000)',
  'SELECT groupArray(toString(number)) FROM numbers(100000000)',
  "SELECT repeat('x', 1000000000)",
  "SELECT arrayMap(x -> repeat('x', 1000000), range(100000))",
  'SELECT uniqExact(number) FROM numbers(10000000000)',
  "SELECT match(repeat('a', 100000), '(a+)+b') FROM numbers(1000000)",
  "SELECT replaceRegexpAll(repeat('a', 1000000), '(a|aa)+$', 'b') FROM numbers(100000)",
  'SELECT arrayJoin(range(1000000)) AS x, arrayJoin(range(1000000)) AS y',
  'SELECT * FROM numbers(10000000) ORDER BY rand() LIMIT 5 BY number',
  'SELECT number FROM system.numbers',
  'SELECT number FROM numbers(2) ORDER BY number WITH FILL FROM 0 TO 1000000000',
  'SELECT range(4000000000)',
  'SELECT count() FROM <table> AS a, <table> AS b, numbers(1000000) AS c, numbers(1000000) AS d',
  `SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}`,
  'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count() FROM r',
])
