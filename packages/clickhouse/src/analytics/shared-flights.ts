import { type Clock, systemClock } from '@smart-whale/interfaces'
import { outsideOfCalls, withDeadline } from '@smart-whale/core-resilience'

/** How long one caller waits for a flight. */
export interface Passenger {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** What is waited for, for the error's message. */
  readonly what: string
}

interface Flight<T> {
  readonly controller: AbortController
  readonly result: Promise<T>
  passengers: number
}

/**
 * Loads under way, so that equal ones run once. Each caller waits as long as it likes and may leave alone;
 * the load itself is aborted only when the last one has left.
 */
export class SharedFlights<T> {
  readonly #flights = new Map<string, Flight<T>>()
  readonly #clock: Clock

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** Loads under way. */
  get size(): number {
    return this.#flights.size
  }

  /** Callers who wait for them. */
  get passengers(): number {
    return [...this.#flights.values()].reduce((sum, flight) => sum + flight.passengers, 0)
  }

  /** Whether a load of that key is under way. */
  has(key: string): boolean {
    return this.#flights.has(key)
  }

  /** Boards the flight of that key, or starts one. `shared` tells whether it was already under way. */
  join(key: string, load: (signal: AbortSignal) => Promise<T>, passenger: Passenger): { shared: boolean; result: Promise<T> } {
    const underWay = this.#flights.get(key)
    const flight = underWay ?? this.#depart(key, load)
    flight.passengers += 1
    const result = withDeadline(() => flight.result, { ...passenger, clock: this.#clock }).finally(() => this.#leave(key, flight))
    return { shared: underWay !== undefined, result }
  }

  /** Aborts every load. */
  abortAll(reason: Error): void {
    for (const flight of this.#flights.values()) flight.controller.abort(reason)
    this.#flights.clear()
  }

  #depart(key: string, load: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController()
    const result = outsideOfCalls(() => load(controller.signal)).finally(() => this.#forget(key, flight))
    const flight: Flight<T> = { controller, result, passengers: 0 }
    // Who left early no longer listens; the failure is theirs no more.
    result.catch(() => {})
    this.#flights.set(key, flight)
    return flight
  }

  #leave(key: string, flight: Flight<T>): void {
    flight.passengers -= 1
    const underWay = this.#flights.get(key) === flight
    if (flight.passengers > 0 || !underWay) return
    // Nobody may board a flight that is being aborted.
    this.#forget(key, flight)
    flight.controller.abort()
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}
