import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type ClickHouseAdapter, createAdapter, createMigrationManager, type QueryOptions, type QueryParams } from '@smart-whale/clickhouse'
import type { KillMoment, RunnerPlan, RunnerReport } from './runner-plan.ts'

/** A process of its own that migrates, and that is gone (SIGKILL) where its plan says: at each statement the first runner to come there. */
const plan = JSON.parse(process.argv[2] ?? '{}') as RunnerPlan
const adapter = createAdapter(plan.connection)

async function isFirstAt(statement: number): Promise<boolean> {
  try {
    await (await open(join(plan.folder, `killed-${statement}`), 'wx')).close()
    return true
  } catch {
    return false
  }
}

/** Where a statement is that is about to be sent, by its text; undefined for what isn't one of the migrations' own. */
const placeOf = (query: string): number => plan.kills.findIndex(({ statement }) => statement === query)

async function execute(query: string, params?: QueryParams, options?: QueryOptions): Promise<unknown> {
  const asked = plan.seesLog ? query : query.replace('system.query_log', 'system.no_such_log')
  const place = placeOf(query)
  const kill = plan.kills[place]
  if (kill === undefined || !(await isFirstAt(place))) return adapter.execute(asked, params, options)
  return die(kill.moment, () => adapter.execute(asked, params, options))
}

async function die(moment: KillMoment, send: () => Promise<unknown>): Promise<never> {
  if (moment === 'after') await send()
  if (moment === 'during') {
    send().catch(() => {})
    // Long enough for the request to leave this process, and for nobody to hear the answer of a slow one.
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => {})
}

const dying = new Proxy(adapter, {
  get: (target, name) => {
    if (name === 'execute') return execute
    const value: unknown = Reflect.get(target, name)
    return typeof value === 'function' ? value.bind(target) : value
  },
}) as ClickHouseAdapter

const manager = createMigrationManager(dying, { leaseSeconds: 2, lockTimeoutMs: 60_000 })
const report: RunnerReport = await manager.runMigrations(join(plan.folder, 'files')).then(
  ({ succeeded, failed }) => ({
    applied: succeeded.map(({ version }) => version),
    failures: failed.map(({ error }) => ({ code: error?.code ?? '', message: error?.message ?? '' })),
  }),
  (error: Error & { code?: string }) => ({ applied: [], failures: [{ code: error.code ?? '', message: error.message }] }),
)
process.stdout.write(JSON.stringify(report))
await adapter.close()
