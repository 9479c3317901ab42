import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStateFile, type ServiceRecord } from './state-file.ts'

const record: ServiceRecord = { kind: 'container', engine: 'docker', services: ['kafka'], variables: { KAFKA_BROKERS: 'a:1' }, since: 'then' }

describe('the state file', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'smart-whale-state-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('is shared by all who open it, and is for its owner alone', async () => {
    await openStateFile(folder).write('kafka', record)

    expect(await openStateFile(folder).read('kafka')).toEqual(record)
    expect(statSync(join(folder, 'state.json')).mode & 0o077).toBe(0)
  })

  it('loses nothing when several write at once', async () => {
    const names = ['a', 'b', 'c', 'd']

    await Promise.all(names.map((name) => openStateFile(folder).write(name, record)))

    expect((await openStateFile(folder).names()).sort()).toEqual(names)
  })

  it('goes with its last service', async () => {
    const state = openStateFile(folder)
    await state.write('kafka', record)

    await state.remove('kafka')

    expect(readdirSync(folder)).toEqual([])
  })
})
