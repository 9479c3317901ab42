import { OperationError } from '@smart-whale/interfaces'
import type { World } from './model-world.ts'

/** What a step of a process that was killed ends with. */
export class ProcessDied extends OperationError {}

/** What a step may meet besides working. */
export interface StepTraits {
  /** What becomes of the request when its server fails; without it, nothing. */
  readonly onServerFailure?: (delay: number) => void
  /** Hears that the request arrives late, or after a pause: nobody who looked before can know of it. */
  readonly onHeldUp?: () => void
  /** Whether a request that is held up gets lost instead of coming late. */
  readonly neverLate?: boolean
}

/** One life of a worker's process. */
export class ProcessLife {
  readonly revoked = new AbortController()
  /** Resolves when the partition goes to another process: this one is dead, suspended, or has returned. */
  readonly vacant: Promise<void>
  readonly generation: number
  /** In whose name it works. */
  readonly pipeline: string
  readonly #world: World
  readonly #leave: () => void
  #isDead = false
  #isSuspended = false
  #wasSuspended = false
  #stepsUnawares = Number.POSITIVE_INFINITY

  constructor(world: World, pipeline = world.pipeline) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.vacant = promise
    this.#leave = resolve
    this.#world = world
    this.generation = ++world.generation
    this.pipeline = pipeline
    this.join(pipeline)
  }

  /** Gets the partition from whoever has it in that pipeline's group. */
  join(pipeline: string): void {
    this.#world.members.set(pipeline, this.generation)
  }

  leave(): void {
    if (this.#wasSuspended) this.#world.outlasted--
    this.#wasSuspended = false
    this.#leave()
  }

  /** Whether its transactions go on: those of a dead or suspended one are ended by the server. */
  get isAwake(): boolean {
    return !this.#isDead && !this.#isSuspended
  }

  /** Does something that the outside world sees, or fails to. */
  async step<T>(effect: () => T, traits: StepTraits = {}): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#isDead) throw new ProcessDied('dead')
    if (this.#stepsUnawares-- <= 0) this.revoked.abort()
    const { fate, delay } = this.#world.nextFate()
    if (fate.startsWith('dies')) this.#die()
    if (fate === 'server-fails') traits.onServerFailure?.(delay)
    if (fate === 'arrives-late' && traits.neverLate !== true) this.#arriveLate(effect, traits, delay)
    if (fate === 'pauses-before') await this.#pause(delay, traits)
    if (fate.endsWith('before') && fate !== 'pauses-before') throw this.#failure()
    if (fate === 'server-fails' || fate === 'arrives-late') throw this.#failure()
    const result = effect()
    if (fate === 'pauses-after') await this.#pause(delay, {})
    if (fate.endsWith('after') && fate !== 'pauses-after') throw this.#failure()
    return result
  }

  #arriveLate(effect: () => unknown, traits: StepTraits, delay: number): void {
    traits.onHeldUp?.()
    this.#world.later(delay, () => {
      try {
        effect()
      } catch {
        // Nobody waits for the answer.
      }
    })
  }

  async #pause(delay: number, traits: StepTraits): Promise<void> {
    traits.onHeldUp?.()
    const resumed = new Promise<void>((resolve) => this.#world.later(delay, resolve))
    this.#leave()
    // How long it goes on before it hears that it lost the partition.
    this.#stepsUnawares = delay
    this.#isSuspended = true
    if (!this.#wasSuspended) this.#world.outlasted++
    this.#wasSuspended = true
    await resumed
    this.#isSuspended = false
  }

  #die(): void {
    this.#isDead = true
    this.revoked.abort()
    this.#leave()
  }

  #failure(): Error {
    return this.#isDead ? new ProcessDied('died') : new OperationError('away', { retryable: true })
  }
}
