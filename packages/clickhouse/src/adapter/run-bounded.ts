/** Runs work for each item, so many at once; results in the order of the items. The first failure aborts the rest and is thrown. */
export async function runBounded<I, R>(items: readonly I[], concurrency: number, caller: AbortSignal | undefined, work: (item: I, signal: AbortSignal) => Promise<R>): Promise<R[]> {
  const failed = new AbortController()
  const signal = caller === undefined ? failed.signal : AbortSignal.any([caller, failed.signal])
  const results = new Array<R>(items.length)
  let next = 0
  let failure: { readonly error: unknown } | null = null
  const worker = async (): Promise<void> => {
    while (next < items.length && failure === null) {
      const index = next++
      try {
        results[index] = await work(items[index] as I, signal)
      } catch (error) {
        failure ??= { error }
        failed.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(concurrency, items.length)) }, worker))
  if (failure !== null) throw (failure as { error: unknown }).error
  return results
}
