/** Asks again and again until it is so; answers after how many milliseconds. @throws TypeError with the latest answer when it isn't within the deadline */
export async function waitUntil(what: string, deadlineMs: number, isSo: () => Promise<boolean | string>): Promise<number> {
  const begun = performance.now()
  for (;;) {
    const answer = await isSo().catch((error: unknown) => `failed: ${String(error)}`)
    const elapsed = performance.now() - begun
    if (answer === true) return elapsed
    if (elapsed > deadlineMs) throw new TypeError(`waited ${Math.round(elapsed / 1000)} s in vain until ${what}${typeof answer === 'string' ? `: ${answer}` : ''}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Runs a step at each of these moments, counted from now; one that comes late isn't skipped. */
export async function atMoments(moments: readonly number[], step: (index: number) => Promise<void>): Promise<void> {
  const begun = performance.now()
  for (const [index, moment] of moments.entries()) {
    const wait = begun + moment - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    await step(index)
  }
}
