/** Tells whoever watches what happens and how long it takes. Everything but `ready` goes to standard error. */
export interface Progress {
  /** A step that is done. */
  step(text: string): void
  say(text: string): void
  /** How far something is; drawn over itself at a terminal, now and then elsewhere. */
  bar(what: string, done: number, total: number): void
  /** The one line on standard output, and the addresses below it. */
  ready(url: string, page: string, tokenFile: string): void
}

const BAR_EVERY_MS = { terminal: 100, plain: 2000 }

/** Makes a {@link Progress} that counts from now. */
export function createProgress(): Progress {
  const begin = performance.now()
  const terminal = process.stderr.isTTY === true
  let barAt = Number.NEGATIVE_INFINITY
  let barShown = false
  const elapsed = (): string => `${((performance.now() - begin) / 1000).toFixed(1).padStart(6)} s`
  const line = (text: string): void => {
    process.stderr.write(`${barShown && terminal ? '\r\u001b[K' : ''}${elapsed()}  ${text}\n`)
    barShown = false
  }
  return {
    step: line,
    say: line,
    bar: (what, done, total) => {
      const now = performance.now()
      if (now - barAt < (terminal ? BAR_EVERY_MS.terminal : BAR_EVERY_MS.plain) && done < total) return
      barAt = now
      const text = `${elapsed()}  ${what}: ${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}`
      process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`)
      barShown = true
    },
    ready: (url, page, tokenFile) => {
      if (barShown && terminal) process.stderr.write('\n')
      barShown = false
      process.stdout.write(`ready in ${elapsed().trim()}: ${page}\n`)
      process.stdout.write(`  GraphiQL       ${url}/graphiql\n  API reference  ${url}/docs\n  metrics        ${url}/metrics\n  admin token    ${tokenFile}\n`)
    },
  }
}
