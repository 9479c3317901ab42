// How far is pnpm, what has gone wrong, and is it still getting anywhere?

/** After the last attempt at an unreachable registry pnpm sometimes waits for ever; its own pauses are no longer than 15 s. */
const STUCK_AFTER_RETRY_MS = 45_000
/** One big package on a slow line makes no sound for a while. */
const STUCK_MS = 5 * 60_000
const COMPLAINT_LINES = 30

/**
 * pnpm tells its story as JSON lines: packages are counted, errors kept; what is no JSON is kept too.
 *
 * @param {(words: string) => void} progress
 */
export function readPnpmOutput(progress, { now = Date.now } = {}) {
  const count = { fetched: 0, linked: 0 }
  const errors = []
  let retryReason
  let heardAt = now()
  let rest = ''

  const takeLine = (line) => {
    const entry = parse(line)
    if (entry === undefined || entry.level === 'error') errors.push(entry?.message ?? line)
    else if (entry.name === 'pnpm:request-retry') retryReason = entry.error?.message ?? 'no reason given'
    else if (entry.status === 'imported') count.linked += 1
    else if (entry.status === 'fetched' || entry.status === 'found_in_store') {
      count.fetched += 1
      retryReason = undefined
    }
  }

  return {
    take(chunk) {
      heardAt = now()
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      lines.filter((line) => line.trim() !== '').forEach(takeLine)
      const trouble = retryReason === undefined ? '' : ', the registry does not answer, trying again'
      progress(`${count.fetched} packages fetched, ${count.linked} in place${trouble}`)
    },
    /** True when it will not come to an end by itself. */
    isStuck() {
      return now() - heardAt > (retryReason === undefined ? STUCK_MS : STUCK_AFTER_RETRY_MS)
    },
    /** What to tell the user after a failure. */
    complaint() {
      const said = [...errors, rest].join('\n').trim().split('\n').slice(-COMPLAINT_LINES).join('\n')
      return said === '' && retryReason !== undefined ? `The registry does not answer: ${retryReason}` : said
    },
  }
}

function parse(line) {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
