import type { IngestorProcess } from './ingestor-process.ts'
import type { SeededChoices } from './seeded-choices.ts'

/** Who is put to sleep, for how long, and who goes on meanwhile. */
export interface Suspension {
  readonly asleep: IngestorProcess | undefined
  readonly other: IngestorProcess | undefined
  readonly asleepMs: number
}

/** Long enough for whoever wakes to go on before it hears of anything. */
const AWAKE_TOGETHER_MS = 4000

/** One sleeps, and the other takes its partitions over. */
export async function suspendOne({ asleep, asleepMs }: Suspension): Promise<void> {
  asleep?.kill('SIGSTOP')
  await pause(asleepMs)
  asleep?.kill('SIGCONT')
}

/** The one that took over falls asleep as well, in the middle of what it does; then the first one wakes, and the second one later. */
export async function suspendOneAfterTheOther({ asleep, other, asleepMs }: Suspension, random: SeededChoices): Promise<void> {
  asleep?.kill('SIGSTOP')
  await pause(asleepMs / 2)
  other?.kill('SIGSTOP')
  await pause(asleepMs / 2)
  asleep?.kill('SIGCONT')
  await pause(random.below(AWAKE_TOGETHER_MS))
  other?.kill('SIGCONT')
}

/** Waits. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
