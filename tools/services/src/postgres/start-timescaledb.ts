import { join } from 'node:path'
import { createTimescaleAdapter } from '@smart-whale/timescaledb'
import { createDatabase } from '../../../../packages/timescaledb/src/embedded/create-database.ts'
import type { Suite } from '../debian/private-apt.ts'
import { unpackPackages } from '../debian/unpack-packages.ts'
import type { Progress } from '../install-once.ts'
import { type ManagedPostgres, type StartManagedPostgresOptions, startManagedPostgres } from './start-managed-postgres.ts'

/** The builds of TimescaleDB that Debian carries: both of the Apache edition. */
export type TimescaleBuild = 17 | 18

export interface StartTimescaleDbOptions extends StartManagedPostgresOptions {
  /** PostgreSQL's major version: 17 comes with TimescaleDB 2.19 (Debian trixie), 18 with 2.31 (sid). @default 17 */
  readonly postgres?: TimescaleBuild | undefined
  /** Told what takes its time. @default silent */
  readonly progress?: Progress | undefined
}

/** A TimescaleDB server, of which tests may make databases. */
export interface TimescaleDb extends ManagedPostgres {
  /** Database with the extension, to make others from: `create database x template tpl_ts`. */
  readonly template: string
  /** Version of the extension. */
  readonly version: string
}

const SUITES: Readonly<Record<TimescaleBuild, Suite>> = { 17: 'trixie', 18: 'sid' }
const TEMPLATE = 'tpl_ts'
const SETTINGS = { shared_preload_libraries: 'timescaledb', 'timescaledb.telemetry_level': 'off', max_connections: 200 }

/** Finds the programs of PostgreSQL with TimescaleDB in the cache, or brings Debian's. @returns their folder */
export async function findTimescaleDb(postgres: TimescaleBuild, progress?: Progress): Promise<string> {
  const suite = SUITES[postgres]
  const programs = `usr/lib/postgresql/${postgres}/bin`
  const root = await unpackPackages({
    name: `timescaledb-${postgres}-${suite}`,
    suite,
    packages: [`postgresql-${postgres}`, `postgresql-${postgres}-timescaledb`, 'tzdata'],
    programs: [programs],
    progress,
  })
  return join(root, programs)
}

/** Starts real TimescaleDB on this machine. It ends with this process, however that ends. */
export async function startTimescaleDb(options: StartTimescaleDbOptions = {}): Promise<TimescaleDb> {
  const { postgres = 17, progress, ...rest } = options
  const binFolder = await findTimescaleDb(postgres, progress)
  const server = await startManagedPostgres({ ...rest, binFolder, settings: { ...SETTINGS, ...rest.settings } })
  try {
    return Object.assign(server, { template: TEMPLATE, version: await makeTemplate(server.address) })
  } catch (error) {
    await server.stop()
    throw error
  }
}

/**
 * Nobody may connect to the template: the extension's scheduler would, and a database that somebody is connected to can't
 * be copied.
 */
async function makeTemplate(url: string): Promise<string> {
  await createDatabase(url, TEMPLATE)
  const template = new URL(url)
  template.pathname = `/${TEMPLATE}`
  const [inside, outside] = [createTimescaleAdapter({ url: template.href }), createTimescaleAdapter({ url })]
  try {
    await outside.connect()
    const known = await outside.query('select datallowconn as open from pg_database where datname = $1', [TEMPLATE])
    if (known.rows[0]?.['open'] === true) {
      await inside.connect()
      await inside.query('create extension if not exists timescaledb')
    }
    await outside.query('update pg_database set datistemplate = true, datallowconn = false where datname = $1', [TEMPLATE])
    await outside.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [TEMPLATE])
    const version = await outside.query("select default_version as version from pg_available_extensions where name = 'timescaledb'")
    return String(version.rows[0]?.['version'])
  } finally {
    await Promise.all([inside.disconnect(), outside.disconnect()])
  }
}
