import { spawn } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createAdapter, createMigrationManager } from '@smart-whale/clickhouse'
import { startManagedClickHouse } from '../../../services/src/index.ts'
import { askClickHouse, type ClickHouseAddress, runInClickHouse } from '../count-stored.ts'
import { migrationFiles, OUTCOME, STATEMENTS, type TriedStatement } from '../migrations/harmful-migrations.ts'
import type { KillMoment, RunnerPlan, RunnerReport } from '../migrations/runner-plan.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'

const FULL = { rounds: 20, runners: 10, killEvery: 1 }
// Beside other tests there is not the whole machine for it.
const SHORT = { rounds: 2, runners: 2, killEvery: 5 }
const RUNNER = join(import.meta.dirname, '../migrations/migration-runner.ts')
const MOMENTS: readonly KillMoment[] = ['before', 'during', 'after']
const UNCERTAIN = 'ERR_CLICKHOUSE_MIGRATION_UNCERTAIN'
/** Runners that give up because somebody else is at work may come again. */
const PATIENT = new Set(['ERR_CLICKHOUSE_MIGRATION_LOCKED', 'ERR_CLICKHOUSE_MIGRATION_LOCK_LOST'])

interface Totals {
  kills: number
  named: number
  namedWrongly: number
  asWanted: number
  recordedOnce: number
  otherFailures: string[]
}

/** Many runners of the same migrations at once, killed at each statement: before it is sent, while the server works at it, after its answer. */
export async function migrations(run: FaultRun): Promise<readonly Finding[]> {
  const length = run.isShort ? SHORT : FULL
  const server = await startManagedClickHouse()
  run.atEnd(() => server.stop())
  const random = new SeededChoices(run.seed)
  const totals: Totals = { kills: 0, named: 0, namedWrongly: 0, asWanted: 0, recordedOnce: 0, otherFailures: [] }
  for (let round = 0; round < length.rounds; round++) {
    const address = { url: server.url, user: server.owner.username, password: server.owner.password, database: `round_${round}` }
    // Without the server's log nobody can know what became of a statement: then it has to be named.
    await playRound(run, { address, random, seesLog: round % 2 === 0, ...length }, totals)
    run.tell(`${round + 1} rounds, ${totals.kills} kills, ${totals.named} statements named as uncertain`)
  }
  return [
    mustBe(`rounds of ${length.runners} runners after which each statement had taken effect once`, totals.asWanted, length.rounds),
    mustBe('rounds after which the history has each statement as done once', totals.recordedOnce, length.rounds),
    mustBe('kills', totals.kills, length.rounds * STATEMENTS.filter((_statement, index) => index % length.killEvery === 0).length),
    mustBe('statements named as uncertain that were not the one at which a runner was killed', totals.namedWrongly, 0),
    mustBe('statements were named where there was no log', totals.named > 0, true),
    mustBe('runners that failed for any other reason', totals.otherFailures.length, 0),
  ]
}

interface Round {
  readonly address: ClickHouseAddress
  readonly random: SeededChoices
  readonly seesLog: boolean
  readonly runners: number
  readonly killEvery: number
}

async function playRound(run: FaultRun, round: Round, totals: Totals): Promise<void> {
  const { address, random, seesLog, runners, killEvery } = round
  await runInClickHouse({ ...address, database: 'default' }, `CREATE DATABASE ${address.database}`)
  const folder = join(run.folder, address.database)
  await mkdir(join(folder, 'files'), { recursive: true })
  for (const [name, text] of Object.entries(migrationFiles())) await writeFile(join(folder, 'files', name), text)
  const kills = STATEMENTS.map(({ statement }, index) => ({ statement: index % killEvery === 0 ? statement : '', moment: random.pick(MOMENTS) }))
  const plan: RunnerPlan = { connection: { url: address.url, user: address.user, password: address.password, database: address.database }, folder, kills, seesLog }

  // Whoever is killed is followed by another, as a supervisor would have it; so are those that found a statement uncertain, once it is settled.
  const keepRunning = async (): Promise<void> => {
    for (;;) {
      const report = await runOne(plan)
      const failure = report?.failures[0]
      if (report !== null && failure === undefined) return
      if (failure?.code === UNCERTAIN) await settle(plan, address, failure.message, totals)
      else if (failure !== undefined && !PATIENT.has(failure.code)) {
        run.tell(`failed: ${failure.code} ${failure.message}`)
        totals.otherFailures.push(failure.code)
        return
      }
    }
  }
  await Promise.all(Array.from({ length: runners }, keepRunning))
  totals.kills += (await readdir(folder)).filter((name) => name.startsWith('killed-')).length
  await judge(run, address, totals)
}

/** Runs a runner to its end; null for one that was killed. */
async function runOne(plan: RunnerPlan): Promise<RunnerReport | null> {
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', RUNNER, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.once('close', (_code, endedBy) => resolve(endedBy)))
  if (signal === 'SIGKILL') return null
  return text === '' ? { applied: [], failures: [{ code: 'ERR_NO_REPORT', message: 'the runner said nothing' }] } : (JSON.parse(text) as RunnerReport)
}

let settling: Promise<void> = Promise.resolve()

/** Does what the error asks for, as an operator would: looks whether the named statement took effect, and says so. Several runners name the same one. */
function settle(plan: RunnerPlan, address: ClickHouseAddress, message: string, totals: Totals): Promise<void> {
  settling = settling.then(() => settleOne(plan, address, message, totals))
  return settling
}

async function settleOne(plan: RunnerPlan, address: ClickHouseAddress, message: string, totals: Totals): Promise<void> {
  const { version, statement: place } = /migration (?<version>\d+) .*statement (?<statement>\d+) /.exec(message)?.groups ?? {}
  const tried = STATEMENTS.filter((each) => each.version === Number(version))[Number(place) - 1]
  if (tried === undefined || !message.includes(tried.statement.slice(0, 40))) return void (totals.namedWrongly += 1)
  const adapter = createAdapter(plan.connection)
  const manager = createMigrationManager(adapter, { leaseSeconds: 2, lockTimeoutMs: 60_000 })
  try {
    // Others that named the same one may have settled it, and the runs gone on.
    const status = (await manager.getStatus(join(plan.folder, 'files'))).find((each) => each.version === tried.version)
    if (status?.uncertain !== true || status.statementsDone !== Number(place) - 1) return
    await nothingRuns(address)
    await manager.settleMigration(tried.version, (await tookEffect(address, tried)) ? 'took-effect' : 'took-no-effect', { statement: Number(place) })
    totals.named += 1
  } catch (error) {
    // Another statement is the uncertain one by now, or runners hold the lock all the time: whoever finds a statement uncertain names it again.
    const { code = '' } = error as { code?: string }
    if (code !== 'ERR_CLICKHOUSE_MIGRATION_ORDER' && !PATIENT.has(code)) throw error
  } finally {
    await adapter.close()
  }
}

async function tookEffect(address: ClickHouseAddress, { tookEffect: query }: TriedStatement): Promise<boolean> {
  return (await askClickHouse(address, query))[0]?.[0] === '1'
}

async function nothingRuns(address: ClickHouseAddress): Promise<void> {
  const query = `SELECT count() FROM system.processes WHERE query_id LIKE 'migration-%' AND current_database = '${address.database}' AND query_id NOT LIKE '%-begun'`
  while ((await askClickHouse(address, query))[0]?.[0] !== '0') await new Promise((resolve) => setTimeout(resolve, 20))
}

async function judge(run: FaultRun, address: ClickHouseAddress, totals: Totals): Promise<void> {
  const found = (await askClickHouse(address, OUTCOME.query).catch((error: Error) => [[error.message]]))[0]?.join(' ')
  if (found === OUTCOME.wanted) totals.asWanted += 1
  else run.tell(`${address.database}: ${found} instead of ${OUTCOME.wanted}`)
  const doubled = await askClickHouse(address, "SELECT version, statement, count() FROM smart_whale_migrations WHERE event = 'done' GROUP BY version, statement HAVING count() != 1")
  const [done] = await askClickHouse(address, "SELECT countIf(event = 'done'), uniqExactIf(version, event = 'finished') FROM smart_whale_migrations")
  if (doubled.length === 0 && done?.join(' ') === `${STATEMENTS.length} 3`) totals.recordedOnce += 1
  else run.tell(`${address.database}: the history has ${done?.join(' ')}; more than once ${JSON.stringify(doubled)}`)
}
