/** One thing that a run looked at. */
export interface Finding {
  readonly what: string
  readonly found: string
  readonly goal: string
  readonly isMet: boolean
}

/** What a run works with. */
export interface FaultRun {
  /** Fixes the schedule of faults and the events. */
  readonly seed: number
  /** About 20 seconds instead of the whole length. */
  readonly isShort: boolean
  /** `host:port` of brokers to use, in topics of its own, where the run kills none. @default it starts its own */
  readonly brokers?: readonly string[] | undefined
  /** A folder that goes with the run. */
  readonly folder: string
  /** Tells whoever waits what is going on. */
  readonly tell: (line: string) => void
  /** Closes something when the run ends, however it ends; the last one first. */
  readonly atEnd: (close: () => Promise<unknown>) => void
}

/** Runs faults under load, and tells what held. */
export type RunFaults = (run: FaultRun) => Promise<readonly Finding[]>

/** Faults under load, and what must hold all the same. */
export interface Scenario {
  readonly name: string
  /** What happens, in one line. */
  readonly title: string
  readonly hasShortForm: boolean
  /** Loads what it runs by. */
  load(): Promise<RunFaults>
}

/** A finding that must be exactly so. */
export function mustBe(what: string, found: number | string | boolean, wanted: number | string | boolean): Finding {
  return { what, found: String(found), goal: String(wanted), isMet: found === wanted }
}

/** A time or size that fails the run only when it is far off: machines differ. */
export function atMost(what: string, found: number, { goal, failsAbove, unit }: { goal: number; failsAbove: number; unit: string }): Finding {
  return { what, found: `${round(found)} ${unit}`, goal: `≤ ${goal} ${unit} (fails above ${failsAbove})`, isMet: found <= failsAbove }
}

const round = (value: number): number => (value >= 100 ? Math.round(value) : Math.round(value * 10) / 10)
