import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MessagingTransport } from '@smart-whale/messaging'
import { COMPILED_PROGRAMS } from '../../../engines/compiled-programs.ts'
import { compareCopies, findingsOf } from '../compare-copies.ts'
import { askClickHouse, askPostgres, copiesInClickHouse, copiesInPostgres } from '../count-stored.ts'
import { EVENT_PIPELINE } from '../event.ts'
import { type Environment, type FaultWorld, startWorld } from '../fault-world.ts'
import { type IngestorProcess, startIngestor } from '../ingestor-process.ts'
import { judgeDeadLetters } from '../judge-dead-letters.ts'
import { poisonedRecord, type PoisonPlan } from '../poison.ts'
import { type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { pause } from '../suspend-ingestors.ts'
import { waitUntil } from '../wait-until.ts'

const FULL = { rounds: 20, events: 4000 }
const SHORT = { rounds: 1, events: 2000 }
const DEADLINE_MS = 90_000
const SINKS: Readonly<Record<string, readonly ('clickhouse' | 'timescaledb')[]>> = { paired: ['clickhouse', 'timescaledb'], lone: ['clickhouse'] }
const MAIN = join(import.meta.dirname, '../../../../apps/stream-ingestor/src/main.ts')

/** One topic, and the two pipelines that both name it and its tables. */
interface Rivals {
  readonly topic: string
  readonly sinks: readonly ('clickhouse' | 'timescaledb')[]
  readonly environments: Readonly<Record<string, Environment>>
  readonly world: FaultWorld
  readonly transport: MessagingTransport
  readonly random: SeededChoices
  readonly sent: SentEvents
  readonly plan: PoisonPlan
}

/** Two pipelines that begin at once over four partitions, and the one that lost takes over from the one that won: killed, suspended or at work, by a command that is killed as well. */
export async function twoPipelines(run: FaultRun): Promise<readonly Finding[]> {
  const world = await startWorld(run)
  const transport = await world.connect()
  const { rounds, events } = run.isShort ? SHORT : FULL
  await keepCompiled(run, world)
  const findings: Finding[] = []
  let split = 0
  const play = async (name: string, sinks: Rivals['sinks'], round: number): Promise<void> => {
    const rivals = await rivalsOf(run, { world, transport, sinks, topic: world.topicNamed(`${name}_${round}`), seed: run.seed + round * 2 + sinks.length })
    await send(rivals, 0, events / 2)
    const winner = await beginAtOnce(run, rivals)
    // The winner may have none yet: the other one halts as soon as it hears whose the table is.
    const holders = await holdersOf(rivals)
    if (holders.size > 1) split++
    findings.push(...(await takeOverFrom(run, rivals, winner, events)).filter(({ isMet }) => !isMet))
  }
  for (let round = 0; round < rounds; round++) {
    // Beside one another: most of a round is waiting, for processes to begin and for groups to miss one that was killed.
    const played = await Promise.allSettled(Object.entries(SINKS).map(([name, sinks]) => play(name, sinks, round)))
    for (const each of played) if (each.status === 'rejected') throw each.reason
    if ((round + 1) % 5 === 0) run.tell(`${round + 1} rounds`)
  }
  return [mustBe('rounds in which two pipelines had partitions', split, 0), mustBe('rounds with something lost, doubled or misplaced', findings.length, 0), ...findings]
}

/** One that ends in order keeps what Node.js compiled: all the others here are killed, and would each do that again. */
async function keepCompiled(run: FaultRun, world: FaultWorld): Promise<void> {
  const first = startIngestor(world.environment())
  run.atEnd(async () => first.kill('SIGKILL'))
  await first.serving
  first.kill('SIGTERM')
  await first.exited
}

async function rivalsOf(run: FaultRun, given: Pick<Rivals, 'world' | 'transport' | 'sinks' | 'topic'> & { readonly seed: number }): Promise<Rivals> {
  const { world, transport, sinks, topic, seed } = given
  const { DATABASE_URL = '', PIPELINES_FILE: _other, ...rest } = world.environment()
  const environments: Record<string, Environment> = {}
  for (const name of [`${topic}_one`, `${topic}_other`]) {
    const file = join(run.folder, `${name}.json`)
    await writeFile(file, JSON.stringify([{ ...EVENT_PIPELINE, topic, name, table: topic, sinks, limits: { maxRows: 200, maxAgeMs: 40 } }]))
    environments[name] = { ...rest, PIPELINES_FILE: file, ...(sinks.includes('timescaledb') ? { DATABASE_URL } : {}) }
  }
  await transport.topics.create(topic, { partitions: EVENT_PIPELINE.partitions, replication: 1 })
  const plan: PoisonPlan = { seed, badShare: 0.02, refusedEvery: Number.MAX_SAFE_INTEGER, hugeEvery: Number.MAX_SAFE_INTEGER }
  return { topic, sinks, environments, world, transport, random: new SeededChoices(seed), sent: new SentEvents(), plan }
}

/** The next events; only the good ones are remembered. */
async function send({ transport, topic, sent, plan }: Rivals, first: number, upTo: number): Promise<void> {
  const records = Array.from({ length: upTo - first }, (_, index) => ({ sequence: first + index, ...poisonedRecord(first + index, plan) }))
  await transport.send(topic, records.map(({ record }) => record))
  for (const { sequence, isGood } of records) if (isGood) sent.acknowledge(sequence)
}

interface Begun {
  readonly name: string
  readonly process: IngestorProcess
}

/** Starts a process of each at the same moment; answers the one that goes on. */
async function beginAtOnce(run: FaultRun, { topic, environments }: Rivals): Promise<Begun> {
  const begun = Object.entries(environments).map(([name, environment]): Begun => ({ name, process: startIngestor(environment) }))
  run.atEnd(async () => begun.map(({ process }) => process.kill('SIGKILL')))
  const halted = (): Begun[] => begun.filter(({ process }) => process.logged('pipeline halted') > 0)
  await waitUntil(`one of two pipelines of ${topic} halts`, DEADLINE_MS, async () => halted().length > 0 || begun.map(({ process }) => process.output()).join('\n'))
  for (const { process } of halted()) process.kill('SIGKILL')
  const winner = begun.find((each) => !halted().includes(each))
  if (winner === undefined) throw new TypeError(`both pipelines of ${topic} halted: ${begun.map(({ process }) => process.linesWith('pipeline halted').join('\n')).join('\n')}`)
  return winner
}

/** The other one takes over while the first has work left; then the first comes back. */
async function takeOverFrom(run: FaultRun, rivals: Rivals, { name: from, process: former }: Begun, events: number): Promise<readonly Finding[]> {
  const { topic, sinks, environments, random, sent, plan, world, transport } = rivals
  const to = Object.keys(environments).find((name) => name !== from) as string
  await send(rivals, events / 2, events)
  await pause(random.below(400))
  // Without PostgreSQL, the group of a worker that is alive is its own.
  const fate = random.pick(sinks.includes('timescaledb') ? (['SIGKILL', 'SIGSTOP', 'SIGCONT'] as const) : (['SIGKILL', 'SIGSTOP'] as const))
  former.kill(fate)
  const codes: (number | null)[] = []
  for (let killed = random.below(3); codes.at(-1) !== 0 && codes.at(-1) !== 4; killed--) {
    const { code, printed } = await takeOver({ from, to, environment: environments[to] as Environment, killAfterMs: killed > 0 ? 500 + random.below(2500) : null })
    codes.push(code)
    if (codes.length > 8) throw new TypeError(`${to} could not take over from ${from} (${fate}): ${printed}`)
  }
  const successor = startIngestor(environments[to] as Environment)
  run.atEnd(async () => successor.kill('SIGKILL'))
  await pause(random.below(3000))
  former.kill('SIGCONT')
  const late = fate === 'SIGKILL' ? startIngestor(environments[from] as Environment) : null
  run.atEnd(async () => late?.kill('SIGKILL'))
  await send(rivals, events, events + 500)
  await waitUntil(`the stores have the events of ${topic}`, DEADLINE_MS, async () => {
    const counts = await rowsOf(rivals)
    return counts.every((rows) => rows >= sent.acknowledged) || `they have ${counts.join(' and ')} of ${sent.acknowledged}, after ${fate} and take-over ${codes.join()}: ${successor.output()}`
  })
  await pause(1500)
  for (const process of [former, late, successor]) process?.kill('SIGKILL')
  const isGood = (sequence: number): boolean => poisonedRecord(sequence, plan).isGood
  const found = [
    ...findingsOf('ClickHouse', compareCopies(sent, await copiesInClickHouse(world.clickhouse.login, topic))),
    ...(sinks.includes('timescaledb') ? findingsOf('PostgreSQL', compareCopies(sent, await copiesInPostgres(world.postgres.address, topic))) : []),
    ...(await judgeDeadLetters(transport, topic, isGood)),
    mustBe('pipelines that have partitions', [...(await holdersOf(rivals))].join(), to),
    mustBe('the successor halted', successor.logged('pipeline halted'), 0),
  ]
  return found.map((finding) => ({ ...finding, what: `${topic} (${fate}, ${codes.join()}): ${finding.what}` }))
}

/** Runs the command, to its end or until it is killed. */
async function takeOver({ from, to, environment, killAfterMs }: { from: string; to: string; environment: Environment; killAfterMs: number | null }): Promise<{ readonly code: number | null; readonly printed: string }> {
  const child = spawn(process.execPath, ['--conditions=@smart-whale/source', MAIN, 'take-over', '--from', from, '--pipeline', to], { env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', ...COMPILED_PROGRAMS, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const timer = killAfterMs === null ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, printed: printed.slice(-2000) }
}

/** Pipelines that a store knows as those that have the table, or a partition of it. */
async function holdersOf({ topic, sinks, world }: Rivals): Promise<ReadonlySet<string>> {
  const turns = `FROM smart_whale_ingest_epochs WHERE target = '${world.clickhouse.login.database}.${topic}'`
  const names = await askClickHouse(world.clickhouse.login, `SELECT DISTINCT argMax(pipeline, (taken_at, epoch, attempt, holder)) ${turns} AND \`partition\` >= 0 GROUP BY \`partition\``)
  // Two that begin at the very same moment are both written down; the table is the first one's.
  names.push(...(await askClickHouse(world.clickhouse.login, `SELECT argMin(pipeline, (taken_at, holder)) ${turns} AND \`partition\` < 0 GROUP BY epoch ORDER BY epoch DESC LIMIT 1`)))
  if (sinks.includes('timescaledb')) {
    names.push(...(await askPostgres(world.postgres.address, `select distinct pipeline from smart_whale_ingest_ledger where table_name like '%${topic}'`)))
    names.push(...(await askPostgres(world.postgres.address, `select pipeline from smart_whale_ingest_ledger_tables where table_name like '%${topic}'`)))
  }
  return new Set(names.map(([name]) => name as string))
}

async function rowsOf({ topic, sinks, world }: Rivals): Promise<number[]> {
  const counts = [askClickHouse(world.clickhouse.login, `SELECT count() FROM ${topic}`)]
  if (sinks.includes('timescaledb')) counts.push(askPostgres(world.postgres.address, `select count(*) from ${topic}`))
  return (await Promise.all(counts)).map((rows) => Number(rows[0]?.[0]))
}
