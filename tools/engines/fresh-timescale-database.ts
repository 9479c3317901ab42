import { randomBytes } from 'node:crypto'
import { createTimescaleAdapter } from '../../packages/timescaledb/src/index.ts'
import { createDatabase, dropDatabase } from '../../packages/timescaledb/src/embedded/create-database.ts'
import type { FreshDatabase } from './fresh-database.ts'
import type { TestTimescaleDb } from './timescaledb.ts'

/** The name under which our own servers keep their template; a server that the environment names may have one too. */
const USUAL_TEMPLATE = 'tpl_ts'

/**
 * Makes a database with the extension on a TimescaleDB server: in 0.1 s from the server's template, in about a second without one.
 *
 * A template has to keep everybody out (`datallowconn = false`): the extension's scheduler would connect to it,
 * and a database that somebody is connected to can't be copied.
 */
export async function freshTimescaleDatabase(server: TestTimescaleDb, prefix = 'test'): Promise<FreshDatabase> {
  const name = `${prefix}_${randomBytes(6).toString('hex')}`
  const url = new URL(server.url)
  url.pathname = `/${name}`
  const drop = (): Promise<void> => dropDatabase(server.url, name)
  const wasCopied = await copyTemplate(server, name)
  if (!wasCopied) await createWithExtension(server.url, { name, url: url.href })
  return { url: url.href, name, drop, [Symbol.asyncDispose]: drop }
}

/** Whether there was a template to copy. */
async function copyTemplate(server: TestTimescaleDb, name: string): Promise<boolean> {
  const template = server.template ?? USUAL_TEMPLATE
  const storage = createTimescaleAdapter({ url: server.url, maxConnections: 1 })
  try {
    const [found] = await storage.execute('select 1 as found from pg_database where datname = $1 and not datallowconn', [template])
    if (found) await storage.execute(`create database "${name}" template "${template}"`)
    return found !== undefined
  } finally {
    await storage.disconnect()
  }
}

async function createWithExtension(serverUrl: string, { name, url }: { name: string; url: string }): Promise<void> {
  await createDatabase(serverUrl, name)
  const storage = createTimescaleAdapter({ url, maxConnections: 1 })
  try {
    await storage.execute('create extension if not exists timescaledb')
  } finally {
    await storage.disconnect()
  }
}
