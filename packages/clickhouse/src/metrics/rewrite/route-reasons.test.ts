import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

it('each reason for which a rollup is not asked stands on the page on that symptom, and no other', () => {
  const page = readFileSync(new URL('../../../../../docs/troubleshooting/rollup-not-used.md', import.meta.url), 'utf8')
  const source = readFileSync(new URL('./choose-route.ts', import.meta.url), 'utf8')

  const told = [...page.matchAll(/^\| `([^`]*?)(?: …)?` \|/gm)].map(([, reason = '']) => reason).filter((reason) => reason !== 'reason')
  // What stands in quotes of the code and begins like a reason.
  const given = [...source.matchAll(/['`]((?:is |has |does |do |its |the )[^'`$]*)/g)].map(([, reason = '']) => reason.trim())

  expect(told.length).toBeGreaterThan(7)
  for (const reason of told) expect(source, reason).toContain(reason)
  for (const reason of given.filter((text) => text.length > 4)) expect(told.some((known) => known.startsWith(reason) || reason.startsWith(known) || reason.endsWith(known)), reason).toBe(true)
})
