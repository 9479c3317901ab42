import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startStandalone, type StandaloneProcess, temporaryFolder } from './standalone-process.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
const running: StandaloneProcess[] = []

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(async () => {
  for (const standalone of running.splice(0)) {
    standalone.kill('SIGTERM')
    await standalone.exited
  }
  await folder.remove()
})

const start = (...args: string[]): StandaloneProcess => {
  const standalone = startStandalone(['--data', folder.path, ...args], { LOG_LEVEL: 'silent' })
  running.push(standalone)
  return standalone
}

async function refusal(...args: string[]): Promise<{ code: number | null; line: string | undefined; lines: number }> {
  const standalone = start(...args)
  const { code } = await standalone.exited
  const complaints = standalone.output().split('\n').filter((line) => line.startsWith('smart-whale: '))
  return { code, line: complaints[0], lines: complaints.length }
}

describe('a start that can’t succeed', () => {
  it.each([
    [['--prot', '1'], /Unknown option '--prot'.*--help/],
    [['--port', '70000'], /--port is "70000", which is not a port/],
    [['--sample', 'half'], /--sample takes "full"/],
    [['--sample', 'full', '--no-sample'], /exclude each other/],
    [['--pipelines', '/nowhere.json'], /--pipelines: there is no file/],
  ])('says in one line what is wrong with %j', async (args, line) => {
    expect(await refusal(...args)).toEqual({ code: 1, line: expect.stringMatching(line) as string, lines: 1 })
  })

  it('names the option when the port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }

    expect(await refusal('--no-sample', '--port', String(port))).toEqual({ code: 1, line: expect.stringMatching(new RegExp(`port ${port} is in use.*--port`)) as string, lines: 1 })
    server.close()
  })

  it('names the folder when another one has it, also with --fresh', async () => {
    await start('--no-sample', '--port', '0').ready

    expect(await refusal('--no-sample', '--fresh', '--port', '0')).toEqual({ code: 1, line: expect.stringMatching(/is in use by another Smart Whale/) as string, lines: 1 })
  })

  it.each([
    ['PostgreSQL', 'postgres', 'cluster/global/pg_control'],
    ['ClickHouse', 'clickhouse', 'server/metadata/system.sql'],
    ['the broker', 'broker', 'topics.json'],
  ])('says in one line that the data of %s is damaged', async (_engine, part, file) => {
    const first = start('--no-sample', '--port', '0')
    await first.ready
    first.kill('SIGTERM')
    await first.exited
    await writeFile(join(folder.path, part, file), 'garbage')

    const { code, line, lines } = await refusal('--no-sample', '--port', '0')

    expect({ code, lines }).toEqual({ code: 1, lines: 1 })
    expect(line).toContain(join(folder.path, part))
  })
})

describe('--fresh', () => {
  it('is finished by the next start when it was cut off', async () => {
    await writeFile(join(folder.path, 'emptying'), '')
    await mkdir(join(folder.path, 'clickhouse'))
    await writeFile(join(folder.path, 'clickhouse', 'left'), 'over')

    await start('--no-sample', '--port', '0').ready

    expect(existsSync(join(folder.path, 'clickhouse', 'left'))).toBe(false)
    expect(existsSync(join(folder.path, 'emptying'))).toBe(false)
  })
})

describe('--check-config and --help', () => {
  it('check a pipelines file and leave', async () => {
    const file = join(folder.path, 'own.json')
    await writeFile(file, JSON.stringify([{ topic: 'rides', fields: { time: 'moment' }, time: 'time' }]))
    expect(await refusal('--check-config', '--pipelines', file)).toMatchObject({ code: 1, line: expect.stringMatching(/own\.json.*pipelines\[0\]\.fields\.time/) as string })

    await writeFile(file, JSON.stringify([{ topic: 'rides', fields: { time: 'timestamp' }, time: 'time' }]))
    const good = start('--check-config', '--pipelines', file)
    expect(await good.exited).toEqual({ code: 0, signal: null })
    expect(good.output()).toContain('the configuration is good')
  })

  it('print the options', async () => {
    const help = start('--help')

    expect(await help.exited).toEqual({ code: 0, signal: null })
    for (const option of ['--data', '--fresh', '--no-sample', '--sample full', '--pipelines', '--port', '--check-config']) expect(help.output()).toContain(option)
  })
})
