import type { Clock } from '@smart-whale/interfaces'
import { isMessagingError } from '../../errors.ts'
import { KeptProducer } from '../../transactions/kept-producer.ts'
import { producerFenced } from '../../transactions/transaction-errors.ts'
import type { TransactionKeeper } from '../../transactions/transaction-keeper.ts'
import type { OutgoingRecord, TransactionalProducer } from '../../transport.ts'
import type { DeadLetterEntry, World } from './model-world.ts'
import type { ProcessLife } from './process-life.ts'

/** What the broker knows of a transactional id. */
interface IdState {
  epoch: number
  /** Of the open transaction. */
  sent: readonly DeadLetterEntry[]
  /** When the producer was opened that has it, counted by openings. */
  openedAt: number
}

/** The ids that each process has opened, and when it opened the last one, counted by openings. */
const openedBy = new WeakMap<ProcessLife, { readonly ids: ReadonlySet<IdState>; readonly last: number }>()
let openings = 0

const states = new WeakMap<World, Map<string, IdState>>()

function stateOf(world: World, transactionalId: string): IdState {
  const ids = states.get(world) ?? new Map<string, IdState>()
  states.set(world, ids)
  const state = ids.get(transactionalId) ?? { epoch: 0, sent: [], openedAt: 0 }
  ids.set(transactionalId, state)
  return state
}

/** Whether letters were sent in transactions that have not ended. */
export function hasOpenTransactions(world: World): boolean {
  return [...(states.get(world)?.values() ?? [])].some(({ sent }) => sent.length > 0)
}

/**
 * What the broker does with transactions that nobody has ended for long. Answers whether the process that waits for that could have ended one itself: somebody who opened his
 * producer behind that process's own is its rival, and not its predecessor; so is whoever has an id that the process itself has opened once.
 */
export function endOpenTransactions(world: World, waiting: ProcessLife): boolean {
  const open = [...(states.get(world)?.values() ?? [])].filter(({ sent }) => sent.length > 0)
  for (const state of open) {
    state.epoch++
    state.sent = []
  }
  const { ids, last } = openedBy.get(waiting) ?? { ids: new Set(), last: 0 }
  return open.some((state) => !ids.has(state) && state.openedAt <= last)
}

/** Deadlines never pass: what doesn't come is decided by the plan. */
const timeless: Clock = { now: () => 0, monotonic: () => 0, setTimeout: () => 0, clearTimeout: () => {} }

/** The broker's side of one producer: each request may fail, come late, or come after the producer was succeeded. */
class ModelKeeper implements TransactionKeeper {
  isUndecided = false
  readonly #state: IdState
  readonly #life: ProcessLife
  readonly #letters: DeadLetterEntry[]
  readonly #entryOf: (record: OutgoingRecord) => DeadLetterEntry
  #epoch = 0
  /** A request got no answer, and may still arrive: what comes next is under another epoch, as Kafka's keeper has it. */
  #mayArrive = false
  /** Something was sent, so that there is something to end. */
  #needsEnd = false

  constructor(world: World, life: ProcessLife, transactionalId: string, entryOf: (record: OutgoingRecord) => DeadLetterEntry) {
    this.#state = stateOf(world, transactionalId)
    this.#life = life
    this.#letters = world.deadLetters
    this.#entryOf = entryOf
  }

  /** Ends what its predecessor left open. */
  async open(): Promise<void> {
    await this.#life.step(() => {
      this.#state.epoch++
      this.#state.sent = []
      this.#epoch = this.#state.epoch
      this.#state.openedAt = ++openings
      openedBy.set(this.#life, { ids: new Set([...(openedBy.get(this.#life)?.ids ?? []), this.#state]), last: openings })
    })
  }

  async begin(): Promise<void> {
    this.#needsEnd = false
    if (!this.#mayArrive) return
    await this.#life.step(() => {
      this.#check()
      this.#state.epoch++
      this.#state.sent = []
      this.#epoch = this.#state.epoch
    })
    this.#mayArrive = false
  }

  async send(_topic: string, records: readonly OutgoingRecord[]): Promise<void> {
    const entries = records.map(this.#entryOf)
    this.#needsEnd = true
    await this.#ask(() => {
      this.#state.sent = [...this.#state.sent, ...entries]
    })
  }

  checkOffset(): void {}

  async commit(): Promise<void> {
    this.isUndecided = true
    try {
      await this.#ask(() => {
        this.#letters.push(...this.#state.sent)
        this.#state.sent = []
      })
      this.isUndecided = false
    } catch (error) {
      if (isMessagingError(error) && error.code === 'ERR_MESSAGING_PRODUCER_FENCED') this.isUndecided = false
      throw error
    }
  }

  async abort(): Promise<void> {
    if (!this.#needsEnd) return
    await this.#ask(() => {
      this.#state.sent = []
    })
  }

  close(): void {}

  /** A request under this producer's epoch, which goes with it however late it arrives. */
  async #ask(effect: () => void): Promise<void> {
    const epoch = this.#epoch
    try {
      await this.#life.step(() => {
        if (epoch !== this.#state.epoch) throw producerFenced('model')
        effect()
      })
    } catch (error) {
      this.#mayArrive = true
      throw error
    }
  }

  #check(): void {
    if (this.#epoch !== this.#state.epoch) throw producerFenced('model')
  }
}

/** Opens a producer for the model's dead letters. */
export async function modelTransactional(world: World, life: ProcessLife, transactionalId: string, entryOf: (record: OutgoingRecord) => DeadLetterEntry): Promise<TransactionalProducer> {
  const keeper = new ModelKeeper(world, life, transactionalId, entryOf)
  await keeper.open()
  return new KeptProducer({ transactionalId, keeper, transactionTimeoutMs: 10_000, clock: timeless, onClose: () => {} })
}
