import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ContainerEngine } from '../container/container-engine.ts'
import type { ServiceDefinition } from '../service-catalogue.ts'
import { bringUp, type BringUpOptions } from './bring-up.ts'
import { openStateFile, type StateFile } from './state-file.ts'

describe('bringUp', () => {
  let folder: string
  let state: StateFile
  let started: string[]
  let isAnswering: boolean
  const service: ServiceDefinition = {
    name: 'thing',
    title: 'a thing',
    variables: ['THING_URL', 'THING_USER'],
    start: () => Promise.reject(new RangeError('not in this test')),
    answers: () => Promise.resolve(isAnswering),
    container: { services: ['thing'], ports: ['THING_PORT'], variables: ([port]) => ({ THING_URL: `thing://127.0.0.1:${port}` }) },
  }
  const engine: ContainerEngine = {
    command: 'true',
    up: () => {
      started.push('container')
      return Promise.resolve({ THING_URL: 'thing://127.0.0.1:7' })
    },
    down: () => Promise.resolve(),
  }
  const options = (changes: Partial<BringUpOptions> = {}): BringUpOptions => ({ state, env: {}, engine, progress: () => {}, ...changes })
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'smart-whale-up-'))
    state = openStateFile(folder)
    started = []
    isAnswering = true
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('uses what the environment names, and starts nothing', async () => {
    const env = { THING_URL: 'thing://elsewhere', THING_USER: 'ann', OTHER: 'x' }

    expect(await bringUp(service, options({ env }))).toEqual({ origin: 'environment', variables: { THING_URL: 'thing://elsewhere', THING_USER: 'ann' } })
    expect(readdirSync(folder)).toEqual([])
  })

  it('starts a container where an engine answers', async () => {
    expect(await bringUp(service, options())).toEqual({ origin: 'container', variables: { THING_URL: 'thing://127.0.0.1:7' } })
    expect(await state.read('thing')).toMatchObject({ kind: 'container', engine: 'true', services: ['thing'] })
  })

  it('leaves alone what runs and answers', async () => {
    await bringUp(service, options())

    expect((await bringUp(service, options())).origin).toBe('running')
    expect(started).toEqual(['container'])
  })

  it('starts one when two ask at once', async () => {
    const origins = await Promise.all([bringUp(service, options()), bringUp(service, options())])

    expect(origins.map(({ origin }) => origin).sort()).toEqual(['container', 'running'])
  })

  it('begins anew where one is noted that does not answer', async () => {
    await bringUp(service, options())
    isAnswering = false

    expect((await bringUp(service, options())).origin).toBe('container')
    expect(started).toEqual(['container', 'container'])
  })

  it('leaves no note of a container that did not start', async () => {
    const failing = { ...engine, up: () => Promise.reject(new RangeError('no such image')) }

    await expect(bringUp(service, options({ engine: failing }))).rejects.toThrow('no such image')

    expect(readdirSync(folder)).toEqual([])
  })
})
