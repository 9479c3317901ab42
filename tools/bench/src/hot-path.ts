import type { FoundEngine } from '../../engines/found.ts'
import type { TestKafka } from '../../engines/kafka.ts'

/** Where the engines of a run answer. */
export interface BenchEngines {
  readonly clickhouse: { readonly url: string; readonly username: string; readonly password: string }
  /** `pid` is the server's main process, whose tree's CPU time counts; null leaves the server out. */
  readonly postgres: { readonly url: string; readonly pid: number | null }
  /** Null with the remedy when this machine has no Kafka: hot paths that need it are left out. */
  readonly kafka: FoundEngine<TestKafka>
}

/** How much there is to do: enough to be measured, or only as much as shows that every contender does the whole job. */
export type BenchSize = 'full' | 'trial'

/** One way to do the job. */
export interface Contender {
  readonly name: string
  /** How many operations one repeat does. */
  readonly operationsPerRepeat: number
  /** Process that does the job in place of this one: its CPU time counts. @default this process */
  readonly pid?: number
  /** Does the job so many times; only this is measured. */
  run(repeats: number): Promise<void> | void
  /** Clears up before each slice, unmeasured. */
  prepare?(): Promise<void>
  /** Throws unless one repeat did the whole job, so that nobody wins by doing less. */
  verify(): Promise<void>
}

/** What a contender has to reach against another one of the same run. */
export type Goal = { readonly contender: string; readonly against: string } & ({ readonly speedAtLeast: number } | { readonly timeAtMost: number })

/** What decides: CPU time of this process, of this process and the server, or the time on the clock. */
export type Measure = 'client CPU' | 'client and server CPU' | 'wall'

/** A hot path that is open: contenders over living connections. */
export interface OpenHotPath {
  readonly contenders: readonly Contender[]
  /** Main process of the server whose CPU time counts; null when only the client's does. */
  readonly serverPid: number | null
  /** What else a reader should know, once it is measured. */
  notes?(): Promise<readonly string[]>
  close(): Promise<void>
}

/** A job that is done often enough for its cost to matter. */
export interface HotPath {
  /** For the command line. */
  readonly name: string
  readonly title: string
  /** What is counted: a row, a query. */
  readonly operation: string
  readonly measure: Measure
  /** The contender that the table's ratios are against. */
  readonly baseline: string
  /** A goal against a contender that this machine doesn't have is left out. */
  readonly goals: readonly Goal[]
  /** An engine that not every machine has. @default none */
  readonly needs?: 'kafka'
  /** @param size a hot path that is quick to open needn't look at it */
  open(engines: BenchEngines, size: BenchSize): Promise<OpenHotPath>
}
