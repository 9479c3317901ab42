import type { Direction, RecordedEvent } from './migration-history.ts'

/** A statement that was about to be sent, and of which nothing more was heard. */
export interface UncertainStatement {
  readonly statement: number
  readonly checksum: string
  /** Which record says so. */
  readonly epoch: number
  readonly step: number
  readonly at: Date
}

/** Where one migration stands, by what was recorded of it. */
export interface MigrationState {
  readonly version: number
  readonly name: string
  /** `half-done`: some statements took effect and some did not. */
  readonly state: 'applied' | 'half-done' | 'rolled-back'
  /** Which way the last run went. */
  readonly direction: Direction
  /** Of the whole text that was last run. */
  readonly checksum: string
  /** Of each statement of the last run that took effect. */
  readonly done: readonly string[]
  /** A statement that was sent and of which nobody knows whether it took effect. */
  readonly uncertain: UncertainStatement | undefined
  /** Why the last run stopped, where the server told. */
  readonly error: string | undefined
  /** Text that takes the migration back, as it was when the migration began. */
  readonly down: string
  readonly at: Date
}

/** Where each migration stands after these events. */
export function statesAfter(events: readonly RecordedEvent[]): Map<number, MigrationState> {
  const states = new Map<number, MigrationState>()
  for (const event of events) {
    const state = after(states.get(event.version), event)
    if (state !== undefined) states.set(event.version, state)
  }
  return states
}

function after(before: MigrationState | undefined, event: RecordedEvent): MigrationState | undefined {
  const { version, name, direction, checksum, at } = event
  if (event.event === 'started') {
    // A run that goes on where one stopped keeps what that one did; a run the other way begins at the beginning.
    const goesOn = before?.state === 'half-done' && before.direction === direction
    const done = goesOn ? before.done : []
    const uncertain = goesOn ? before.uncertain : undefined
    const down = direction === 'up' ? event.down : (before?.down ?? '')
    return { version, name, state: 'half-done', direction, checksum, done, uncertain, error: undefined, down, at }
  }
  if (before === undefined) return undefined
  switch (event.event) {
    case 'begun':
      return { ...before, uncertain: { statement: event.statement, checksum, epoch: event.epoch, step: event.step, at }, at }
    case 'done':
      return { ...before, done: [...before.done.slice(0, event.statement), checksum], uncertain: undefined, at }
    case 'failed':
      return { ...before, uncertain: undefined, error: event.error, at }
    case 'finished':
      return { ...before, state: direction === 'up' ? 'applied' : 'rolled-back', checksum, uncertain: undefined, at }
  }
}
