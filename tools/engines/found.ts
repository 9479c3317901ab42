/** A real engine that a test needs, or the command that would bring it. Plain data: it crosses a process boundary. */
export type FoundEngine<T> = { readonly found: T } | { readonly found: null; readonly remedy: string }
