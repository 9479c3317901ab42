// What the user sees of the setup: one line when a step begins, a sign of life on long ones, one line when it is done.
// All of it goes to stderr: stdout belongs to the command.
const SIGN_OF_LIFE_MS = 5_000

/** @param {NodeJS.WritableStream} stream */
export function createReporter(stream, { now = Date.now, signOfLifeMs = SIGN_OF_LIFE_MS } = {}) {
  // Whoever reads us may be gone (a closed terminal, a killed npm); that must not end the setup.
  stream.on?.('error', () => {})
  const line = (text) => stream.write(`setup: ${text}\n`)

  return {
    line,
    /** Runs one step. `work` may call what it is given with a few words on how far it is. */
    async step(title, done, work) {
      const startedAt = now()
      const seconds = () => `${((now() - startedAt) / 1000).toFixed(1)} s`
      let progress = ''
      line(`${title} …`)
      const timer = setInterval(() => line(`  … ${progress === '' ? '' : `${progress}, `}${seconds()}`), signOfLifeMs)
      try {
        const result = await work((words) => (progress = words))
        line(`${done} in ${seconds()}`)
        return result
      } finally {
        clearInterval(timer)
      }
    },
  }
}
