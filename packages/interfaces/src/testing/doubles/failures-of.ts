import type { ContractSuite } from '../contract-case.ts'

/** Names of the cases that fail on the subject; only those whose name contains `only`, when given. */
export async function failuresOf<S>(suite: ContractSuite<S>, subject: () => S, only = ''): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of suite) {
    if (!name.includes(only)) continue
    await run(subject()).catch(() => failed.push(name))
  }
  return failed
}
