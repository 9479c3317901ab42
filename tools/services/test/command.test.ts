import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findProcess, isAlive, listProcesses } from '../../toolchain/process-table.mjs'
import type { ServiceStatus } from '../src/cli/show-status.ts'
import type { ServiceRecord } from '../src/cli/state-file.ts'
import { cacheFolder } from '../src/services-folder.ts'

const PROGRAM = ['--conditions=@smart-whale/source', fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))]

/** The embedded ClickHouse stands for all services here: it is there without a download. */
describe('npm run services', { timeout: 120_000 }, () => {
  let folder: string
  let env: NodeJS.ProcessEnv
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'smart-whale-services-'))
    const { CLICKHOUSE_URL: _url, CLICKHOUSE_TRIO_URLS: _urls, ...rest } = process.env
    env = { ...rest, SMART_WHALE_SERVICES_FOLDER: folder, SMART_WHALE_SERVICES_CACHE: await cacheFolder(), TMPDIR: folder }
  })
  afterEach(async () => {
    if (existsSync(join(folder, 'state.json'))) await run('down')
    rmSync(folder, { recursive: true })
  })

  function run(...words: string[]): Promise<{ code: number; output: string; complaints: string }> {
    const args = words[0] === 'up' ? [...words, '--native'] : words
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [...PROGRAM, ...args], { env }, (_error, output, complaints) => resolve({ code: child.exitCode ?? -1, output, complaints }))
    })
  }
  const recordOf = (name: string): Extract<ServiceRecord, { kind: 'native' }> => (JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8')) as Record<string, never>)[name] as never
  const statusOf = async (name: string): Promise<ServiceStatus> => (JSON.parse((await run('status', name, '--json')).output) as [ServiceStatus])[0]
  const processesOf = (name: string) => [recordOf(name).host, ...recordOf(name).servers]

  it('brings up, says so truthfully, and takes down without a trace', async () => {
    expect(await run('up', 'clickhouse')).toMatchObject({ code: 0, output: expect.stringMatching(/^clickhouse +up in [\d.]+ s: CLICKHOUSE_URL=http/) as string })
    const processes = processesOf('clickhouse')
    expect(await statusOf('clickhouse')).toMatchObject({ condition: 'running', origin: 'native' })
    expect((await run('env', 'clickhouse')).output).toMatch(/^export CLICKHOUSE_URL='http:\/\/127\.0\.0\.1:\d+'\nexport CLICKHOUSE_USER='owner'\nexport CLICKHOUSE_PASSWORD='.+'\n$/)

    expect((await run('up', 'clickhouse')).output).toContain('runs already')
    expect(processesOf('clickhouse')).toEqual(processes)

    expect(await run('down')).toMatchObject({ code: 0, output: expect.stringContaining('is down') as string })
    expect(processes.filter(isAlive)).toEqual([])
    expect(readdirSync(folder)).toEqual([])
    expect((await run('status', 'clickhouse')).code).toBe(1)
  })

  it('starts one when two ask at once', async () => {
    const outcomes = await Promise.all([run('up', 'clickhouse'), run('up', 'clickhouse')])

    expect(outcomes.map(({ code }) => code)).toEqual([0, 0])
    expect(outcomes.filter(({ output }) => / up in /.test(output))).toHaveLength(1)
    expect(outcomes.filter(({ output }) => output.includes('runs already'))).toHaveLength(1)
  })

  it('notices a run that was killed, and begins anew over it', async () => {
    await run('up', 'clickhouse')
    const before = processesOf('clickhouse')

    process.kill(before[0]?.pid as number, 'SIGKILL')
    while (before.some(isAlive)) await sleep(20)
    expect(await statusOf('clickhouse')).toMatchObject({ condition: 'dead' })
    expect((await run('env', 'clickhouse')).complaints).toContain('npm run services -- up clickhouse')

    expect((await run('up', 'clickhouse')).output).toContain(' up in ')
    expect(await statusOf('clickhouse')).toMatchObject({ condition: 'running' })
  })

  it('leaves nothing running when it is killed in the middle', async () => {
    const child = spawn(process.execPath, [...PROGRAM, 'up', 'clickhouse-trio', '--native'], { env, stdio: 'ignore' })
    while (!existsSync(join(folder, 'state.json'))) await sleep(5)
    const { host } = recordOf('clickhouse-trio')

    child.kill('SIGKILL')
    await once(child, 'exit')

    while (isAlive(host)) await sleep(20)
    await run('down')
    while (listProcesses().some(({ pid }) => runsIn(pid, folder))) await sleep(20)
    expect(readdirSync(folder).filter((name) => name.startsWith('state') || name.startsWith('run') || name.endsWith('.lock'))).toEqual([])
  })

  it('uses what the environment names, and says when that is silent', async () => {
    env = { ...env, CLICKHOUSE_URL: 'http://127.0.0.1:1' }

    expect((await run('up', 'clickhouse')).output).toContain('named by the environment: CLICKHOUSE_URL=http://127.0.0.1:1')
    expect(await statusOf('clickhouse')).toMatchObject({ condition: 'silent', origin: 'environment' })
    expect(readdirSync(folder)).toEqual([])
  })

  it('says what it does not know', async () => {
    expect(await run('up', 'clickhose')).toMatchObject({ code: 2, complaints: expect.stringContaining('unknown service "clickhose": use kafka, ') as string })
  })
})

/** Whether a process was told of the folder. */
function runsIn(pid: number, folder: string): boolean {
  try {
    return findProcess(pid) !== undefined && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`SMART_WHALE_SERVICES_FOLDER=${folder}`)
  } catch {
    return false
  }
}

