import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'

/**
 * One promise of a contract, checked on a subject. `run` throws an `AssertionError` (or the subject's own error) when it is broken.
 *
 * @example
 * for (const { name, run } of cachingContract) it(name, () => run(subject))
 */
export interface ContractCase<Subject> {
  readonly name: string
  run(subject: Subject): Promise<void>
}

/** All promises of a contract, for any test runner. */
export type ContractSuite<Subject> = readonly ContractCase<Subject>[]

/** Longer than any healthy implementation takes for a case, so that a hang is named rather than waited for. */
const CASE_LIMIT_MS = 100_000

/** A case that fails by name when it hangs. */
export function contractCase<Subject>(name: string, run: (subject: Subject) => Promise<void>): ContractCase<Subject> {
  return { name, run: (subject) => within(CASE_LIMIT_MS, `the case "${name}"`, run(subject)) }
}

/** The promise, or a failure when it takes longer than `limitMs` of real time. */
export async function within<T>(limitMs: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what} took longer than ${limitMs} ms` })), limitMs)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** Waits until `check` no longer throws; its last complaint is the failure. */
export async function eventually(check: () => Promise<void> | void, limitMs = 30_000): Promise<void> {
  const deadline = performance.now() + limitMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    await pause(20)
  }
}

/** Real time that passes. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A name that no other case and no earlier run has used; letters, digits and underscores only. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll('-', '').slice(0, 16)}`
}
