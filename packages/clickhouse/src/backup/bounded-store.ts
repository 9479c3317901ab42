import { withDeadline } from '@smart-whale/core-resilience'
import type { CallOptions, Clock } from '@smart-whale/interfaces'
import type { BackupStore } from './backup-store.ts'

/**
 * The same store, each call of which ends in time: at its deadline, or when its caller has left, whether the store takes notice or not. Of what is read, each piece
 * has that time.
 *
 * @param timeoutMs for calls that say nothing
 */
export function boundedStore<Store extends BackupStore>(store: Store, timeoutMs: number, clock: Clock): Store {
  const within = <T>(what: string, call: CallOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    withDeadline(({ signal }) => work(signal), { timeoutMs: call.timeoutMs ?? timeoutMs, signal: call.signal, what: `the store of the backups, to ${what}`, clock })
  return {
    // What else it says of itself: its folder.
    ...store,
    list: (prefix, call = {}) => within(`list "${prefix}"`, call, (signal) => store.list(prefix, { signal })),
    write: (name, chunks, call = {}) => within(`write "${name}"`, call, (signal) => store.write(name, chunks, { signal })),
    remove: (prefix, call = {}) => within(`remove "${prefix}"`, call, (signal) => store.remove(prefix, { signal })),
    async *read(name, call = {}) {
      const leaving = new AbortController()
      const signal = call.signal === undefined ? leaving.signal : AbortSignal.any([call.signal, leaving.signal])
      const chunks = store.read(name, { signal })[Symbol.asyncIterator]()
      try {
        for (;;) {
          const step = await within(`read "${name}"`, call, () => chunks.next())
          if (step.done === true) return
          yield step.value
        }
      } finally {
        leaving.abort()
        // Not waited for: one that hangs would never end.
        void chunks.return?.().then(undefined, () => {})
      }
    },
  }
}
