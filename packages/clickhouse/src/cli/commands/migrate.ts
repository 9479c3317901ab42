import { ConfigurationError } from '@smart-whale/interfaces'
import { createMigrationManager, type MigrationManager } from '../../migrations/migration-manager.ts'
import type { MigrationReport } from '../../migrations/migration-options.ts'
import type { Topology } from '../../migrations/topology.ts'
import { asJson, type Command, type CommandCall, EXIT, tableText, textOf, textsOf } from '../command.ts'

const FOLDER = 'migrations'

const OPTIONS = {
  folder: { type: 'string' },
  table: { type: 'string' },
  version: { type: 'string' },
  to: { type: 'string' },
  cluster: { type: 'string' },
  'keeper-path': { type: 'string' },
  'sharding-key': { type: 'string', multiple: true },
  'allow-out-of-order': { type: 'boolean' },
  'lock-timeout-ms': { type: 'string' },
} as const

const HELP = `  --folder FOLDER    holds <number>_<name>.up.sql and .down.sql (${FOLDER})
  --table NAME       table that remembers what happened (smart_whale_migrations)
  --version N        the last version to apply
  --to TOPOLOGY      single, replicated or distributed: the same files for one server, replicas, or shards of replicas (single)
  --cluster NAME     the cluster that statements go to
  --keeper-path P    where replicas of a table find each other ('/clickhouse/tables/{shard}/{database}/{table}')
  --sharding-key T=E expression that spreads the rows of a table over the shards; '*' for all others (rand())
  --allow-out-of-order  also what comes before an applied one
  --lock-timeout-ms N   how long to wait for another runner (60000)`

const EXITS = { [EXIT.found]: 'a migration failed; the statement is named' }

function managerOf(call: CommandCall): MigrationManager {
  return createMigrationManager(call.adapter, {
    table: textOf(call, 'table'),
    topology: topologyOf(call),
    allowOutOfOrder: call.values['allow-out-of-order'] === true,
    lockTimeoutMs: numberOf(call, 'lock-timeout-ms'),
    timeoutMs: call.timeoutMs,
    onStatement: ({ version, name, statement, place, of }) => call.progress(`… ${version} ${name}, ${place} of ${of}: ${statement.slice(0, 80).replace(/\s+/g, ' ')}`),
  })
}

const folderOf = (call: CommandCall): string => textOf(call, 'folder') ?? FOLDER

function numberOf(call: CommandCall, name: string): number | undefined {
  const text = textOf(call, name)
  if (text !== undefined && !/^\d{1,15}$/.test(text)) throw new ConfigurationError(`--${name} is "${text}", which is not a whole number`)
  return text === undefined ? undefined : Number(text)
}

function topologyOf(call: CommandCall): Topology {
  const kind = textOf(call, 'to') ?? 'single'
  const [cluster = '', keeperPath] = [textOf(call, 'cluster'), textOf(call, 'keeper-path')]
  if (kind === 'single') return { kind }
  if (kind === 'replicated') return { kind, cluster, keeperPath }
  if (kind !== 'distributed') throw new ConfigurationError(`--to is "${kind}"; there are single, replicated and distributed (and --version for a number)`)
  const shardingKeys = Object.fromEntries((textsOf(call, 'sharding-key') ?? []).map((text) => [text.split('=')[0] ?? '', text.split('=').slice(1).join('=')]))
  return { kind, cluster, keeperPath, shardingKeys }
}

function tell(call: CommandCall, report: MigrationReport): number {
  if (call.json) call.print(asJson(report))
  else tellLines(call, report)
  return report.failed.length > 0 ? EXIT.found : EXIT.ok
}

function tellLines({ print }: CommandCall, { dryRun, succeeded, failed, planned }: MigrationReport): void {
  for (const { version, name, statements, durationMs } of succeeded) print(`${version} ${name}: done, ${statements} statements in ${durationMs} ms`)
  for (const { version, name, error, failedAt } of failed) print(`${version} ${name}: failed${failedAt === undefined ? '' : ` at statement ${failedAt.place} (${failedAt.statement.slice(0, 80).replace(/\s+/g, ' ')})`}: ${error?.message ?? ''}`)
  for (const { version, name, statements } of planned) print([`${version} ${name}: ${dryRun ? 'would send' : 'not begun'}`, ...statements.map((statement) => `  ${statement};`)].join('\n'))
  if (succeeded.length + failed.length + planned.length === 0) print('nothing to do')
}

/** Applies. */
export const migrateUp: Command = {
  name: 'migrate up',
  summary: 'Applies what the folder has and the database has not',
  usage: '[--folder FOLDER] [--version N] [--to TOPOLOGY --cluster NAME] [--dry-run]',
  help: `${HELP}\n  --dry-run          tells the statements and sends none`,
  exits: EXITS,
  options: { ...OPTIONS, 'dry-run': { type: 'boolean' } },
  positionals: { least: 0, most: 0 },
  run: async (call) => tell(call, await managerOf(call).runMigrations(folderOf(call), { upTo: numberOf(call, 'version'), dryRun: call.values['dry-run'] === true, signal: call.signal })),
}

/** Tells what would be applied. */
export const migratePlan: Command = {
  name: 'migrate plan',
  summary: 'Tells the statements that `migrate up` would send',
  usage: migrateUp.usage.replace(' [--dry-run]', ''),
  help: HELP,
  exits: {},
  options: OPTIONS,
  positionals: { least: 0, most: 0 },
  run: async (call) => tell(call, await managerOf(call).runMigrations(folderOf(call), { upTo: numberOf(call, 'version'), dryRun: true, signal: call.signal })),
}

/** Takes back. */
export const migrateDown: Command = {
  name: 'migrate down',
  summary: 'Takes the latest migration back, by the text that was recorded when it was applied',
  usage: '[VERSION] [--dry-run]',
  help: `${HELP}\n  --dry-run          tells the statements and sends none`,
  exits: EXITS,
  options: { ...OPTIONS, 'dry-run': { type: 'boolean' } },
  positionals: { least: 0, most: 1 },
  run: async (call) => {
    const manager = managerOf(call)
    const version = call.positionals[0] === undefined ? await latest(manager, call) : Number(call.positionals[0])
    return tell(call, await manager.rollbackMigration(version, { dryRun: call.values['dry-run'] === true, signal: call.signal }))
  },
}

async function latest(manager: MigrationManager, call: CommandCall): Promise<number> {
  const known = (await manager.getStatus(folderOf(call), { signal: call.signal })).filter(({ state }) => state !== 'pending')
  const last = known.at(-1)
  if (last === undefined) throw new ConfigurationError('nothing is applied; there is nothing to take back')
  return last.version
}

/** Tells where each stands. */
export const migrateStatus: Command = {
  name: 'migrate status',
  summary: 'Tells where each migration stands',
  usage: '[--folder FOLDER]',
  help: HELP,
  exits: { [EXIT.found]: 'one is pending, half done, changed or missing' },
  options: OPTIONS,
  positionals: { least: 0, most: 0 },
  run: async (call) => {
    const status = await managerOf(call).getStatus(folderOf(call), { signal: call.signal })
    if (call.json) call.print(asJson({ migrations: status }))
    else call.print(tableText(['version', 'name', 'state', 'done', 'uncertain', 'since'], status.map(({ version, name, state, statementsDone, uncertain, at }) => [version, name, state, statementsDone, uncertain ? 'yes' : '', at?.toISOString()])))
    return status.some(({ state }) => state !== 'applied') ? EXIT.found : EXIT.ok
  },
}

/** Tells what other hands changed. */
export const migrateDrift: Command = {
  name: 'migrate drift',
  summary: 'Tells what of the database is not as the latest run left it, and the statements that mend it',
  usage: '[--accept]',
  help: `${HELP}\n  --accept           takes the database as it is for right: what was changed is no drift any more`,
  exits: { [EXIT.found]: 'something differs' },
  options: { ...OPTIONS, accept: { type: 'boolean' } },
  positionals: { least: 0, most: 0 },
  run: async (call) => {
    const manager = managerOf(call)
    if (call.values.accept === true) return await manager.acceptDrift({ signal: call.signal }), EXIT.ok
    const report = await manager.getDrift({ signal: call.signal })
    if (call.json) call.print(asJson(report))
    else if (report.since === null) call.print('no run has written down how it left the database: nothing can be told')
    else if (report.drift.length === 0) call.print(`as the run of ${report.since.toISOString()} left it`)
    else for (const { table, what, declared, actual, fix } of report.drift) call.print(`${table}: ${what}\n  was  ${declared ?? '–'}\n  is   ${actual ?? '–'}\n  fix  ${fix ?? 'none by one statement: make the table anew'}`)
    return report.drift.length > 0 ? EXIT.found : EXIT.ok
  },
}

/** Says what became of a statement. */
export const migrateSettle: Command = {
  name: 'migrate settle',
  summary: 'Says of a statement whose effect nobody knows whether it took effect',
  usage: 'VERSION took-effect|took-no-effect [--statement N]',
  help: `${HELP}\n  --statement N      its place, as the error named it: refused when another one is uncertain by now`,
  exits: {},
  options: { ...OPTIONS, statement: { type: 'string' } },
  positionals: { least: 2, most: 2 },
  run: async (call) => {
    const [version = '', outcome = ''] = call.positionals
    if (outcome !== 'took-effect' && outcome !== 'took-no-effect') throw new ConfigurationError(`"${outcome}" is none of took-effect, took-no-effect`)
    await managerOf(call).settleMigration(Number(version), outcome, { statement: numberOf(call, 'statement'), signal: call.signal })
    return EXIT.ok
  },
}
