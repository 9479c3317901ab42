import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SLOWEST } from './slowest-first.ts'

describe('the slowest tests', () => {
  it('are where they are looked for', () => {
    expect(SLOWEST.filter((path) => !existsSync(join(import.meta.dirname, '../..', path)))).toEqual([])
  })
})
