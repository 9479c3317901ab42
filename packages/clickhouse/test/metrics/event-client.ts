/** An event of a stream. */
export interface ReceivedEvent {
  readonly event: string
  readonly id?: string
  readonly data: Record<string, unknown>
}

/** Reads a stream's events, as a browser would. */
export async function connectEvents(url: URL, headers: Record<string, string> = {}, more: RequestInit = {}) {
  const leave = new AbortController()
  const reply = await fetch(url, { ...more, headers, signal: AbortSignal.any([leave.signal, AbortSignal.timeout(60_000)]) })
  const comments: string[] = []
  async function* blocks(): AsyncGenerator<string> {
    let rest = ''
    for await (const chunk of (reply.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
      const parts = (rest + chunk).split('\n\n')
      rest = parts.pop() ?? ''
      yield* parts
    }
  }
  const incoming = blocks()
  const next = async (): Promise<ReceivedEvent | undefined> => {
    for (;;) {
      const { value, done } = await incoming.next()
      if (done === true) return undefined
      const fields = Object.fromEntries(value.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
      if (fields['event'] === undefined) comments.push(value)
      else return { ...fields, data: JSON.parse(fields['data'] as string) } as unknown as ReceivedEvent
    }
  }
  return { reply, next, comments, leave: () => leave.abort() }
}
