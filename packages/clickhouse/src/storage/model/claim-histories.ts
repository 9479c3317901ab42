import assert from 'node:assert/strict'
import fc from 'fast-check'
import { agreedHolder, agreeOnHolder, type Proposal, type ProposalRegister } from '../agree-on-holder.ts'

/** Which of the things that the agreement rests on the store keeps. */
export interface RegisterFaults {
  /** Whether `settled` waits. @default true */
  readonly waits?: boolean
  /** Whether a proposal looks for others when the store begins with it. @default true */
  readonly guards?: boolean
}

/** What one process does: asks for the table in a pipeline's name, or takes it over for one. */
interface Asked {
  readonly pipeline: number
  readonly takesOver: boolean
}

interface Written extends Proposal {
  /** When the server began with it: that orders the proposals, and not when they are seen. */
  readonly begun: number
}

class Death extends Error {}

/** After so many steps of others, one comes by itself. */
const PATIENCE = 16

/** A store, of which each step happens when the schedule says. */
class ClaimModel {
  readonly #written: Written[] = []
  readonly #running = new Set<number>()
  readonly #next: () => number
  readonly #faults: RegisterFaults
  readonly #waiting: (() => void)[] = []
  #made = 0

  constructor(choices: readonly number[], faults: RegisterFaults) {
    let step = 0
    this.#next = () => choices[step++ % choices.length] ?? 0
    this.#faults = faults
  }

  /** Lets the steps of all processes happen, one after the other, in the order of the schedule; now and then the one that waits longest, so that nobody waits for ever. */
  async run(processes: readonly Promise<unknown>[]): Promise<void> {
    let left = processes.length
    for (const each of processes) void each.finally(() => left--).catch(() => {})
    for (let turn = 1; left > 0; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      const chosen = turn % PATIENCE === 0 ? 0 : this.#next() % Math.max(1, this.#waiting.length)
      this.#waiting.splice(chosen, 1)[0]?.()
    }
  }

  register(dies: boolean): ProposalRegister {
    return {
      first: async () => {
        await this.#step(dies)
        return this.#first()
      },
      propose: async (generation, pipeline) => {
        await this.#step(dies)
        const insert = this.#insert(generation, pipeline)
        // The server goes on with it, whatever becomes of the client.
        await this.#step(dies)
        await insert
      },
      settled: async () => {
        await this.#step(dies)
        const begun = [...this.#running]
        while (this.#faults.waits !== false && begun.some((each) => this.#running.has(each))) await this.#step(dies)
      },
    }
  }

  async #insert(generation: bigint, pipeline: string): Promise<void> {
    const id = this.#made++
    // It may be held up on its way, where no server knows of it.
    await this.#step(false)
    this.#running.add(id)
    // Listed first, then the condition, then the time of the row, then it is seen.
    await this.#step(false)
    const isLate = this.#written.some((each) => each.generation >= generation)
    await this.#step(false)
    // Clocks of a server may stand still, or be set back.
    const begun = this.#next() % 3
    await this.#step(false)
    if (!isLate || this.#faults.guards === false) this.#written.push({ generation, pipeline, id: String(id), begun })
    this.#running.delete(id)
  }

  #first(): Proposal | null {
    const latest = this.#written.reduce((most, { generation }) => (generation > most ? generation : most), 0n)
    const of = this.#written.filter(({ generation }) => generation === latest)
    return of.sort((one, other) => one.begun - other.begun || one.id.localeCompare(other.id))[0] ?? null
  }

  async #step(dies: boolean): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
    if (dies && this.#next() % 5 === 0) throw new Death()
  }
}

/** Plays so many random histories of pipelines that claim one table. @throws Error when two of them hear of different holders of one generation */
export async function playRandomClaims(parameters: fc.Parameters<unknown>, faults: RegisterFaults = {}): Promise<void> {
  const asked = fc.array(fc.record<Asked>({ pipeline: fc.nat(3), takesOver: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }) }), { minLength: 2, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(asked, fc.array(fc.nat(1000), { minLength: 20, maxLength: 120, size: 'max' }), fc.boolean(), async (processes, choices, someDie) => {
      const model = new ClaimModel(choices, faults)
      const heard: Proposal[] = []
      const ask = async ({ pipeline, takesOver }: Asked, dies: boolean): Promise<void> => {
        const register = model.register(dies)
        let known: Proposal | null = null
        for (let again = 0; again < 2; again++) {
          known = (await agreedHolder(register, known)) ?? (await agreeOnHolder(register, `pipeline ${pipeline}`, null))
          heard.push(known)
          if (takesOver && again === 0) heard.push((known = await agreeOnHolder(register, `pipeline ${pipeline}`, known)))
        }
      }
      const lives = processes.map((each, index) => ask(each, someDie && index % 2 === 0).catch((error: unknown) => assert.ok(error instanceof Death, String(error))))
      await model.run(lives)
      await Promise.all(lives)
      const holders = new Map<bigint, string>()
      for (const { generation, pipeline, id } of heard) {
        const holder = holders.get(generation) ?? `${pipeline} ${id}`
        holders.set(generation, holder)
        assert.equal(`${pipeline} ${id}`, holder, `generation ${generation} has one holder`)
      }
    }),
    parameters as fc.Parameters<[Asked[], number[], boolean]>,
  )
}
