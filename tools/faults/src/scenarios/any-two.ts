import { startWorldOfItsOwn, type WorldOfItsOwn } from '../fault-world.ts'
import { IngestorCrew } from '../ingestor-crew.ts'
import { judgeStores, waitUntilStored } from '../judge-stores.ts'
import { atMost, type FaultRun, type Finding, mustBe } from '../scenario.ts'
import { SeededChoices } from '../seeded-choices.ts'
import { SentEvents } from '../sent-events.ts'
import { sendSteadily } from '../steady-producer.ts'
import { pause } from '../suspend-ingestors.ts'

/** Sessions end after 3 seconds here, a statement is given up after 30, and PostgreSQL ends a transaction whose owner is silent after 30. */
const FULL = { rounds: 24, hangMs: [3500, 8000, 15_000, 40_000], rate: 1000 }
const SHORT = { rounds: 6, hangMs: [3500], rate: 1000 }
/** How far apart two faults that come together may be. */
const APART_MS = 1500

/** Someone who may stand still, or die, at any moment. */
interface Party {
  readonly name: string
  hang(): void
  goOn(): void
  /** Dies and is there again. */
  die(): Promise<void>
}

/** Each two of an ingestor, ClickHouse, PostgreSQL and the broker: one hangs, and while it does the other one hangs or dies. */
export async function anyTwo(run: FaultRun): Promise<readonly Finding[]> {
  const { rounds, hangMs, rate } = run.isShort ? SHORT : FULL
  const random = new SeededChoices(run.seed)
  const world = await startWorldOfItsOwn(run, { brokers: 1 })
  const crew = new IngestorCrew(world.environment(), { restartsFailed: true })
  run.atEnd(() => crew.killAll())
  await crew.add(2)

  const sent = new SentEvents()
  const stop = new AbortController()
  run.atEnd(async () => stop.abort())
  const producing = sendSteadily({ transport: await world.connect(), topic: world.topic, rate, total: Number.MAX_SAFE_INTEGER, sent, timeoutMs: 60_000, until: stop.signal })
  const pairs = pairsOf(partiesOf(world, crew))
  for (let round = 0; round < rounds; round++) {
    const [one, other] = turned(pairs[round % pairs.length] as Pair, random)
    const dies = mayDie(other, run) && random.below(2) === 0
    run.tell(`${one.name} hangs, ${other.name} ${dies ? 'dies' : 'hangs'}`)
    await failTogether(one, other, { dies, hangMs: random.pick(hangMs), random })
    await pause(500 + random.below(1500))
  }
  stop.abort()
  await producing

  const visibleMs = await waitUntilStored(world, sent, 180_000).catch((error: unknown) => {
    run.tell(crew.output())
    throw error
  })
  for (const line of [...crew.linesWith('pipeline halted'), ...crew.endedAtWork]) run.tell(line.slice(0, 1500))
  return [
    ...(await judgeStores(world, sent)),
    mustBe('ingestors that ended by themselves, once they served', crew.endedAtWork.length, 0),
    mustBe('pipelines that halted', crew.logged('pipeline halted'), 0),
    atMost('last row visible after the last fault', visibleMs / 1000, { goal: 30, failsAbove: 120, unit: 's' }),
  ]
}

function partiesOf({ clickhouse, postgres, kafka }: WorldOfItsOwn, crew: IngestorCrew): Party[] {
  const server = (name: string, one: Pick<WorldOfItsOwn['postgres'], 'pause' | 'resume' | 'kill' | 'restart'>): Party => ({
    name,
    hang: () => one.pause(),
    goOn: () => one.resume(),
    die: async () => {
      await one.kill()
      await one.restart()
    },
  })
  const ingestor: Party = {
    name: 'an ingestor',
    hang: () => crew.members[0]?.kill('SIGSTOP'),
    goOn: () => crew.members[0]?.kill('SIGCONT'),
    die: () => crew.replaceByCrash(0),
  }
  return [ingestor, server('ClickHouse', clickhouse), server('PostgreSQL', postgres), ...kafka.nodes.map((node) => server(BROKER, node))]
}

const BROKER = 'the broker'

/** A broker that was killed needs half a minute to be there again. */
const mayDie = ({ name }: Party, { isShort }: FaultRun): boolean => !(isShort && name === BROKER)

type Pair = readonly [Party, Party]

const pairsOf = (parties: readonly Party[]): Pair[] => parties.flatMap((one, index) => parties.slice(index + 1).map((other): Pair => [one, other]))

const turned = ([one, other]: Pair, random: SeededChoices): Pair => (random.below(2) === 0 ? [one, other] : [other, one])

interface Together {
  readonly dies: boolean
  readonly hangMs: number
  readonly random: SeededChoices
}

/** Who hung first goes on first, before the other one is well. */
async function failTogether(one: Party, other: Party, { dies, hangMs, random }: Together): Promise<void> {
  one.hang()
  await pause(random.below(APART_MS))
  const dying = dies ? other.die() : other.hang()
  await pause(hangMs)
  one.goOn()
  await pause(random.below(APART_MS))
  if (dies) await dying
  else other.goOn()
}
