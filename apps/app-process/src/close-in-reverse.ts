import type { Logger } from '@smart-whale/interfaces'

/** Remembers how to close what was opened, and closes it in the reverse order. */
export interface Closers {
  /** Call it right after opening; `name` is for the log. */
  add(name: string, close: () => Promise<unknown>): void
  /** Closes everything; one that fails doesn't keep the others open. */
  close(): Promise<void>
}

/** Makes an empty list of closers. */
export function createClosers(logger: Logger): Closers {
  const closers: { name: string; close: () => Promise<unknown> }[] = []
  return {
    add: (name, close) => void closers.push({ name, close }),
    close: async () => {
      for (let next = closers.pop(); next !== undefined; next = closers.pop()) {
        const { name, close } = next
        await close().catch((error: unknown) => logger.error({ err: error }, `${name} did not close cleanly`))
      }
    },
  }
}
