import { type Clock, OperationError, systemClock } from '@smart-whale/interfaces'
import { countOption } from '../check-options.ts'
import { notify } from '../notify.ts'
import { type SharedStateOptions, SharedStates } from './shared-states.ts'

/** `closed` lets calls through, `open` none, `half-open` a few probes. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** What brought a change of state about; `shared`: another process; `tripped` and `reset`: somebody, by hand. */
export type StateReason =
  | 'consecutive_failures'
  | 'failure_rate'
  | 'slow_calls'
  | 'wait_over'
  | 'healthy'
  | 'probe_failed'
  | 'probe_overdue'
  | 'probes_succeeded'
  | 'tripped'
  | 'reset'
  | 'shared'

/** A state gave way to another one. */
export interface StateChange {
  readonly key: string
  readonly from: BreakerState
  readonly to: BreakerState
  readonly reason: StateReason
  /** Milliseconds since the epoch. */
  readonly atMs: number
}

/** One state as it is now. */
export interface ManagedState {
  readonly key: string
  readonly state: BreakerState
  /** What brought it about; undefined for the first one. */
  readonly reason: StateReason | undefined
  /** When it began, in milliseconds since the epoch. */
  readonly sinceMs: number
  /** When it stops being open, as the clock's monotonic time; `Infinity` while it is held open. */
  readonly openUntilMs: number
  /** How often it has opened since it was last closed. */
  readonly timesOpened: number
  /** Grows whenever it is decided anew, so that late results can be told apart. */
  readonly era: number
}

/** How states are kept; see {@link StateManager}. */
export interface StateManagerOptions {
  /** Changes that are remembered for each key. @default 50 */
  historySize?: number | undefined
  /** Keys that are kept; the one unused for longest that is closed gives way. @default 1_000 */
  maxKeys?: number | undefined
  /** Shares states with other processes. @default each process for itself */
  share?: SharedStateOptions | undefined
  /** Told of every change. What it throws is ignored. @default nobody */
  onTransition?: ((change: StateChange) => void) | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
}

/** What goes with a change. */
export interface TransitionOptions {
  /** How long it stays open, for a change to `open`; `Infinity` until it is reset. @default Infinity */
  openMs?: number | undefined
}

interface Entry {
  readonly managed: Writable<ManagedState>
  readonly history: StateChange[]
  readonly listeners: Set<(change: StateChange) => void>
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** From what to what a state may go. `open` to `open` decides anew for how long: no change of state, and told to nobody here. */
const LEGAL: Readonly<Record<BreakerState, readonly BreakerState[]>> = {
  closed: ['open'],
  open: ['half-open', 'closed', 'open'],
  'half-open': ['open', 'closed'],
}

/**
 * Keeps the states of breakers by key: the one place in which they change, and where an illegal change is refused. Remembers
 * what happened, tells who wants to know, and shares states with other processes if it is given a cache. Bounded in keys and history; no timers.
 */
export class StateManager {
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<(change: StateChange) => void>()
  readonly #historySize: number
  readonly #maxKeys: number
  readonly #clock: Clock
  readonly #shared: SharedStates | undefined

  constructor(options: StateManagerOptions = {}) {
    this.#historySize = countOption('historySize', options.historySize ?? 50, 0)
    this.#maxKeys = countOption('maxKeys', options.maxKeys ?? 1_000)
    this.#clock = options.clock ?? systemClock
    this.#shared = options.share === undefined ? undefined : new SharedStates(options.share, this.#clock)
    if (options.onTransition !== undefined) this.#listeners.add(options.onTransition)
  }

  /** Keys whose state is kept. */
  get keys(): readonly string[] {
    return [...this.#entries.keys()]
  }

  /** The state of a key, closed when it is new. The object follows every change. */
  manageState(key: string): ManagedState {
    return this.#entryOf(key).managed
  }

  /**
   * Changes the state of a key.
   *
   * @throws OperationError `ERR_ILLEGAL_TRANSITION` when the one doesn't follow upon the other
   */
  transition(key: string, to: BreakerState, reason: StateReason, options: TransitionOptions = {}): StateChange {
    const change = this.#change(key, to, reason, options.openMs ?? Infinity)
    this.#shared?.publish(this.#entryOf(key).managed, change, options.openMs ?? Infinity)
    return change
  }

  /** Closes a key by hand. Others that share its state may hold it open though it is closed here: they are told all the same. */
  reset(key: string): void {
    const { managed } = this.#entryOf(key)
    if (managed.state !== 'closed') return void this.transition(key, 'closed', 'reset')
    managed.era += 1
    this.#shared?.publish(managed, { from: 'closed', to: 'closed', reason: 'reset' }, 0)
  }

  /** Leaves it open for longer, as when it was asked whether it is well and isn't. */
  prolong(key: string, openMs: number): void {
    const { managed } = this.#entryOf(key)
    if (managed.state !== 'open') return
    managed.timesOpened += 1
    managed.openUntilMs = this.#clock.monotonic() + openMs
  }

  /** Puts a change into the history of its key; every transition does so by itself, this is for changes from elsewhere. */
  storeHistory(change: StateChange): void {
    const { history } = this.#entryOf(change.key)
    history.push(change)
    if (history.length > this.#historySize) history.shift()
  }

  /** The latest changes of a key, oldest first. */
  history(key: string): readonly StateChange[] {
    return [...(this.#entries.get(key)?.history ?? [])]
  }

  /** Tells a listener of every change from now on, or of those of one key; the answer takes it off again. What it throws is ignored. */
  subscribe(listener: (change: StateChange) => void, key?: string): () => void {
    const listeners = key === undefined ? this.#listeners : this.#entryOf(key).listeners
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  /** Drops a key with its history. */
  forget(key: string): void {
    this.#entries.delete(key)
  }

  /** Looks, in the background and at most every so often, what other processes say of a key. */
  lookAtShared(managed: ManagedState, nowMs: number): void {
    this.#shared?.look(managed, nowMs, (to, openMs) => {
      if (this.#entries.get(managed.key)?.managed !== managed) return
      // Each finds its own way back from the same failure; that somebody holds it open is news all the same.
      const isNothingNew = managed.state === to && (openMs !== Infinity || managed.openUntilMs === Infinity)
      if (!isNothingNew && LEGAL[managed.state].includes(to)) this.#change(managed.key, to, 'shared', openMs)
    })
  }

  /** Whether states are shared with other processes. */
  get isShared(): boolean {
    return this.#shared !== undefined
  }

  /** Ends looks that are under way and forgets all listeners. */
  dispose(): void {
    this.#shared?.dispose()
    this.#listeners.clear()
  }

  #change(key: string, to: BreakerState, reason: StateReason, openMs: number): StateChange {
    const { managed, listeners } = this.#entryOf(key)
    const from = managed.state
    if (!LEGAL[from].includes(to)) throw illegal(key, from, to)
    const change: StateChange = { key, from, to, reason, atMs: this.#clock.now() }
    managed.reason = reason
    managed.era += 1
    managed.openUntilMs = to === 'open' ? this.#clock.monotonic() + openMs : 0
    if (from === to) return change
    managed.state = to
    managed.sinceMs = change.atMs
    managed.timesOpened = to === 'closed' ? 0 : managed.timesOpened + (to === 'open' ? 1 : 0)
    this.storeHistory(change)
    for (const listener of [...listeners, ...this.#listeners]) notify(listener, change)
    return change
  }

  #entryOf(key: string): Entry {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    if (this.#entries.size >= this.#maxKeys) this.#makeRoom()
    const managed = { key, state: 'closed' as const, reason: undefined, sinceMs: this.#clock.now(), openUntilMs: 0, timesOpened: 0, era: 0 }
    const entry: Entry = { managed, history: [], listeners: new Set() }
    this.#entries.set(key, entry)
    return entry
  }

  /** What is closed and old is like new when it comes back; what is open has something to tell. */
  #makeRoom(): void {
    let oldest: string | undefined
    for (const [key, { managed }] of this.#entries) {
      oldest ??= key
      if (managed.state === 'closed') return void this.#entries.delete(key)
    }
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
}

function illegal(key: string, from: BreakerState, to: BreakerState): OperationError<'ERR_ILLEGAL_TRANSITION'> {
  return new OperationError(`the state of "${key}" can not go from ${from} to ${to}; from there it goes to ${LEGAL[from].join(' or ')}`, {
    code: 'ERR_ILLEGAL_TRANSITION',
    context: { key, from, to },
    status: 409,
  })
}
