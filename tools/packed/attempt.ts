import type { Outcome } from '../test/outcome.ts'

/** Runs one test and says what became of it: a list of problems or an exception is a failure. */
export async function attempt(name: string, test: () => Promise<readonly string[]>): Promise<Outcome> {
  const problems = await test().catch((error: unknown) => [error instanceof Error ? error.message : String(error)])
  return problems.length === 0 ? { name, state: 'passed' } : { name, state: 'failed', reason: problems.join('\n') }
}

/** Works through a list, so many at a time. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = items.entries()
  const worker = async (): Promise<void> => {
    for (const [at, item] of queue) results[at] = await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
  return results
}
