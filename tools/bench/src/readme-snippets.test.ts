import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const README = join(import.meta.dirname, '../../../packages/core-resilience/README.md')
// Here, for the libraries that people come from are installed beside the benchmarks alone.
const BESIDE_THE_PEERS = join(import.meta.dirname, '..')

const snippets = [...readFileSync(README, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code ?? '')

/** What a snippet says that it prints: the comment behind each `console.log`. */
const promised = (code: string): string[] => [...code.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, text]) => text ?? '')

describe('snippets of the README of core-resilience', () => {
  it('are there, with those of the libraries that people come from', () => {
    expect(snippets.filter((code) => /from '(cockatiel|opossum)'/.test(code))).toHaveLength(2)
    expect(snippets.every((code) => promised(code).length > 0)).toBe(true)
  })

  it.each(snippets.map((code) => [/(?:from ')([^']+)/.exec(code)?.[1] ?? '', code] as const))('print what they say: %s', async (_from, code) => {
    const run = promisify(execFile)(process.execPath, ['--conditions=@smart-whale/source', '--input-type=module-typescript', '--eval', code], { cwd: BESIDE_THE_PEERS })

    expect((await run).stdout.trim().split('\n')).toEqual(promised(code))
  })
})
