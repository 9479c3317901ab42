import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { neededEngines } from './needed-engines.ts'

const ENGINES = ['clickhouse', 'postgres', 'kafka'] as const
const workspace = mkdtempSync(join(tmpdir(), 'smart-whale-needed-'))
afterAll(() => rmSync(workspace, { recursive: true }))

function file(path: string, text: string): string {
  const place = join(workspace, path)
  mkdirSync(dirname(place), { recursive: true })
  writeFileSync(place, text)
  return place
}

describe('neededEngines', () => {
  it('finds what a test asks for, however deep it lies', () => {
    const test = file('one/test/deep/a.test.ts', "const { url } = inject('clickhouse')")

    expect(neededEngines(ENGINES, [test])).toEqual(new Set(['clickhouse']))
  })

  it('finds what a helper beside the test asks for', () => {
    const test = file('two/test/deep/a.test.ts', "import { broker } from '../broker.ts'")
    file('two/test/broker.ts', 'export const broker = () => inject(\n  "kafka")')

    expect(neededEngines(ENGINES, [test])).toEqual(new Set(['kafka']))
  })

  it('leaves out what nobody asks for', () => {
    const test = file('three/test/a.test.ts', "app.inject('/kafka'); inject('kafkaesque')")

    expect(neededEngines(ENGINES, [test])).toEqual(new Set())
  })
})
