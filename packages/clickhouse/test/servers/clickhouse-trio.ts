import { type ManagedClickHouse, startManagedClickHouse } from '../../../../tools/services/src/index.ts'
import { type ClickHouseOptions, type ClickHouseServer, createAdapter, type BalancedAdapter } from '../../src/index.ts'

/** Three servers that know nothing of each other, of one test file. */
export class ClickHouseTrio {
  readonly members: readonly ManagedClickHouse[]

  private constructor(members: readonly ManagedClickHouse[]) {
    this.members = members
  }

  static async start(): Promise<ClickHouseTrio> {
    return new ClickHouseTrio(await Promise.all([1, 2, 3].map(() => startManagedClickHouse())))
  }

  get servers(): ClickHouseServer[] {
    return this.members.map(({ url, owner }) => ({ host: new URL(url).hostname, port: Number(new URL(url).port), user: owner.username, password: owner.password }))
  }

  /** An adapter over all three, which is in no hurry: a busy machine's servers are slow, and not away. */
  adapter(options: ClickHouseOptions = {}): BalancedAdapter {
    return createAdapter({ servers: this.servers, requestTimeoutMs: 60_000, ...options, balancing: { probeEveryMs: 200, probeTimeoutMs: 5_000, ...options.balancing } }) as BalancedAdapter
  }

  /** The member that an answer came from. */
  member(server: string | undefined): ManagedClickHouse {
    const found = this.members.find(({ url }) => new URL(url).host === server)
    if (found === undefined) throw new RangeError(`no server ${server} among the three`)
    return found
  }

  /** Runs a statement on each by itself; the answers in their order. */
  onEach(query: string): Promise<string[]> {
    return Promise.all(this.members.map((member) => this.on(member, query)))
  }

  /** Runs a statement on one, past all of our own code. */
  async on({ url, owner }: ManagedClickHouse, query: string): Promise<string> {
    const headers = { authorization: `Basic ${Buffer.from(`${owner.username}:${owner.password}`).toString('base64')}` }
    const response = await fetch(url, { method: 'POST', body: query, headers })
    const text = (await response.text()).trim()
    if (!response.ok) throw new TypeError(text)
    return text
  }

  /** Whatever a test did to them: all answer again. */
  async mend(): Promise<void> {
    await Promise.all(
      this.members.map(async (member) => {
        member.resume()
        if (member.pids.length === 0) await member.restart()
      }),
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()))
  }
}
