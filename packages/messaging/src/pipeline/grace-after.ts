import type { Clock } from '@smart-whale/interfaces'

/** A signal that aborts some time after another one: a slice that is being written when the partition is revoked may be finished. */
export function graceAfter(revoked: AbortSignal, graceMs: number, clock: Clock): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  let timer: unknown
  const begin = (): void => {
    timer = clock.setTimeout(() => controller.abort(revoked.reason), graceMs)
  }
  if (revoked.aborted) begin()
  else revoked.addEventListener('abort', begin, { once: true })
  return {
    signal: controller.signal,
    dispose: () => {
      revoked.removeEventListener('abort', begin)
      clock.clearTimeout(timer)
    },
  }
}
