/** Tells a listener. What it throws is dropped: an observer may not change what it observes. */
export function notify<E>(listener: ((event: E) => void) | undefined, event: E): void {
  if (listener === undefined) return
  try {
    listener(event)
  } catch {
    // Dropped, see above.
  }
}
