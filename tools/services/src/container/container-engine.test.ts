import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { containerEngine, findContainerEngine } from './container-engine.ts'
import { CONTAINERS } from './containers.ts'
import type { ContainerPlan } from './container-plan.ts'

describe.skipIf(process.platform === 'win32')('a container engine', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'smart-whale-engine-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /** A command that notes how it was called. */
  function command(script: string): string {
    const file = join(folder, 'docker')
    writeFileSync(file, `#!/bin/sh\necho "$KAFKA_PORT $*" >>${folder}/calls\n${script}\n`, { mode: 0o755 })
    return file
  }
  const calls = (): string[] => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')

  it('is none where only its client is installed', async () => {
    const client = command('case $1 in info) echo "Cannot connect to the daemon" >&2; exit 1;; esac')

    expect(await findContainerEngine([client, join(folder, 'podman')])).toBeUndefined()
  })

  it('is found where it answers and has Compose', async () => {
    expect((await findContainerEngine([join(folder, 'podman'), command('')]))?.command).toBe(join(folder, 'docker'))
  })

  it('gets free ports by the names that the compose file has for them', async () => {
    const variables = await containerEngine(command('')).up(CONTAINERS['kafka'] as ContainerPlan)

    const [port, ...words] = (calls()[0] as string).split(' ')
    expect(words.join(' ')).toMatch(/^compose --file \S+\/docker\/services\.compose\.yaml up --detach --wait kafka$/)
    expect(variables).toEqual({ KAFKA_BROKERS: `127.0.0.1:${port}` })
  })

  it('takes away what it started, with its volumes', async () => {
    await containerEngine(command('')).down(['kafka'])

    expect(calls()[0]).toMatch(/ rm --stop --force --volumes kafka$/)
  })

  it('says in its own words why it could not', async () => {
    const failing = command('echo "pull access denied" >&2; exit 1')

    await expect(containerEngine(failing).up(CONTAINERS['kafka'] as ContainerPlan)).rejects.toMatchObject({ code: 'ERR_SERVICES_START_FAILED', message: expect.stringContaining('compose up failed: pull access denied') as string })
  })
})
