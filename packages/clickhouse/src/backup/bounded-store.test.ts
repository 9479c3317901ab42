import { systemClock } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { ClickHouseAdapter } from '../adapter-options.ts'
import { createBackupManager } from './backup-manager.ts'
import type { BackupStore } from './backup-store.ts'
import { boundedStore } from './bounded-store.ts'

/** A store that never answers, and the signals that it was given. */
function hangingStore(): { store: BackupStore; signals: (AbortSignal | undefined)[] } {
  const signals: (AbortSignal | undefined)[] = []
  const hang = (signal: AbortSignal | undefined): Promise<never> => {
    signals.push(signal)
    return new Promise(() => {})
  }
  const read = (_name: string, call?: { signal?: AbortSignal | undefined }): AsyncIterable<Uint8Array> => ({ [Symbol.asyncIterator]: () => ({ next: () => hang(call?.signal), return: () => new Promise(() => {}) }) })
  return { store: { list: (_prefix, call) => hang(call?.signal), read, write: (_name, _chunks, call) => hang(call?.signal), remove: (_prefix, call) => hang(call?.signal) }, signals }
}

async function* nothing(): AsyncIterable<Uint8Array> {}

const CALLS: Record<keyof BackupStore, (store: BackupStore, signal?: AbortSignal) => Promise<unknown>> = {
  list: (store, signal) => store.list('', { signal }),
  read: async (store, signal) => {
    for await (const piece of store.read('a', { signal })) void piece
  },
  write: (store, signal) => store.write('a', nothing(), { signal }),
  remove: (store, signal) => store.remove('a', { signal }),
}

describe.each(Object.entries(CALLS))('a store that does not answer to %s', (_name, ask) => {
  it('is waited for until the deadline, and told', async () => {
    const clock = new FakeClock()
    const { store, signals } = hangingStore()
    const outcome = expect(ask(boundedStore(store, 1_000, clock))).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })

    await clock.advance(1_000)

    await outcome
    expect(signals.map((signal) => signal?.aborted)).toEqual([true])
  })

  it('is waited for until the caller leaves', async () => {
    const { store, signals } = hangingStore()
    const leaving = new AbortController()
    const outcome = expect(ask(boundedStore(store, 60_000, systemClock), leaving.signal)).rejects.toMatchObject({ code: 'ERR_ABORTED' })

    leaving.abort()

    await outcome
    expect(signals.every((signal) => signal?.aborted)).toBe(true)
  })
})

describe('a file that is read in part', () => {
  it('is let go of', async () => {
    let isLetGo = false
    const read: BackupStore['read'] = async function* () {
      try {
        for (;;) yield Buffer.from('piece')
      } finally {
        isLetGo = true
      }
    }
    const store = boundedStore({ ...hangingStore().store, read }, 1_000, systemClock)

    for await (const piece of store.read('a')) if (piece.length > 0) break

    await expect.poll(() => isLetGo).toBe(true)
  })
})

describe('a manager over a store that does not answer', () => {
  it.each<[string, (manager: ReturnType<typeof createBackupManager>, signal: AbortSignal) => Promise<unknown>]>([
    ['listBackups', (manager, signal) => manager.listBackups(undefined, { signal })],
    ['deleteBackup', (manager, signal) => manager.deleteBackup('a', { signal })],
    ['verify', (manager, signal) => manager.verify('a', { signal })],
    ['warningsOf', (manager, signal) => manager.warningsOf('t', 'a', { signal })],
    ['applyRetention', (manager, signal) => manager.applyRetention('t', { keep: 1 }, { signal })],
    ['restoreBackup', (manager, signal) => manager.restoreBackup('t', 'a', { signal })],
  ])('ends %s when its caller leaves', async (_name, ask) => {
    const manager = createBackupManager({ database: 'db' } as ClickHouseAdapter, { store: hangingStore().store })
    const leaving = new AbortController()
    const outcome = expect(ask(manager, leaving.signal)).rejects.toMatchObject({ code: 'ERR_ABORTED' })

    leaving.abort()

    await outcome
  })
})
