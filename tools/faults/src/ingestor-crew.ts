import { type IngestorProcess, startIngestor } from './ingestor-process.ts'
import { waitUntil } from './wait-until.ts'

/** How a crew is looked after. */
export interface IngestorCrewOptions {
  /** Whether one that ends with 1 is started again, as a supervisor does: a start gives up when its stores stay away. @default false */
  restartsFailed?: boolean
}

const RESTART_AFTER_MS = 1000

/** Ingestors of one group, each started again when it was killed. */
export class IngestorCrew {
  readonly #environment: Readonly<Record<string, string>>
  readonly #restartsFailed: boolean
  readonly #members: IngestorProcess[] = []
  readonly #all: IngestorProcess[] = []
  readonly #endedAtWork: string[] = []

  constructor(environment: Readonly<Record<string, string>>, { restartsFailed = false }: IngestorCrewOptions = {}) {
    this.#environment = environment
    this.#restartsFailed = restartsFailed
  }

  /** What those said last that had begun their work and ended by themselves. */
  get endedAtWork(): readonly string[] {
    return this.#endedAtWork
  }

  get size(): number {
    return this.#members.length
  }

  get members(): readonly IngestorProcess[] {
    return this.#members
  }

  /** Starts so many more and waits until their pipelines run. */
  async add(count: number): Promise<void> {
    const added = Array.from({ length: count }, () => this.#start())
    await Promise.all(added.map((member) => untilReady(member)))
  }

  /** Kills one as a crash would, at whatever it is doing, and starts another in its place at once. */
  async replaceByCrash(index: number): Promise<void> {
    const member = this.#members[index % this.#members.length] as IngestorProcess
    member.kill('SIGKILL')
    await member.exited
    this.#members.splice(this.#members.indexOf(member), 1)
    this.#start()
  }

  /** Stops the oldest as an operator would; answers how it ended. */
  async stopOldest(): Promise<Awaited<IngestorProcess['exited']>> {
    const member = this.#members.shift() as IngestorProcess
    member.kill('SIGTERM')
    return member.exited
  }

  /** How often any of them, past and present, logged this. */
  logged(text: string): number {
    return this.#all.reduce((sum, member) => sum + member.logged(text), 0)
  }

  /** What any of them logged with this text. */
  linesWith(text: string): readonly string[] {
    return this.#all.flatMap((member) => member.linesWith(text))
  }

  /** What the living ones printed last, for messages. */
  output(): string {
    return this.#members.map((member) => member.output()).join('\n---\n')
  }

  async killAll(): Promise<void> {
    for (const member of this.#members) member.kill('SIGKILL')
    await Promise.all(this.#members.splice(0).map(({ exited }) => exited))
  }

  #start(): IngestorProcess {
    const member = startIngestor(this.#environment)
    this.#members.push(member)
    this.#all.push(member)
    void this.#lookAfter(member)
    return member
  }

  async #lookAfter(member: IngestorProcess): Promise<void> {
    const { code, signal } = await member.exited
    // One that was still starting may give up: its stores may have been away for longer than it waits.
    if (member.logged('pipeline started') > 0 && code !== 0 && signal !== 'SIGKILL') this.#endedAtWork.push(`${code ?? signal}: ${member.output()}`)
    if (!this.#restartsFailed || code !== 1) return
    await new Promise((resolve) => setTimeout(resolve, RESTART_AFTER_MS))
    const place = this.#members.indexOf(member)
    // Whoever isn't a member any more was stopped on purpose.
    if (place < 0) return
    this.#members.splice(place, 1)
    this.#start()
  }
}

const READY_DEADLINE_MS = 120_000

async function untilReady(member: IngestorProcess): Promise<void> {
  const address = await member.serving
  const ended = member.exited.then(({ code, signal }) => {
    throw new TypeError(`the ingestor ended (${code ?? signal}) before it was ready:\n${member.output()}`)
  })
  const becomesReady = waitUntil(`${address} is ready`, READY_DEADLINE_MS, async () => {
    const { status } = await fetch(`${address}/health/ready`)
    return status === 200 || `answered ${status}\n${member.output()}`
  })
  await Promise.race([becomesReady, ended])
}
