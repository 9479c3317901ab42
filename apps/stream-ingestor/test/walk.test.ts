import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { findFreePort } from '../../../tools/services/src/free-ports.ts'
import { openWorld } from './ingestor-world.ts'

const ROOT = join(import.meta.dirname, '../../..')
const APP = 'apps/stream-ingestor'

/** The checkout as a newcomer has it: whatever the walk writes goes into a folder of its own. */
async function freshCheckout(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'smart-whale-walk-'))
  const link = async (path: string, without: string): Promise<void> => {
    await mkdir(join(folder, path), { recursive: true })
    for (const name of await readdir(join(ROOT, path))) if (![without, '.env', 'keys', '.git'].includes(name)) await symlink(join(ROOT, path, name), join(folder, path, name))
  }
  await link('.', 'apps')
  await link('apps', 'stream-ingestor')
  await link(APP, '')
  return folder
}

/** The blocks of the guide between its marks, run by this Node and against servers that the environment names. */
async function walkOf(port: number): Promise<string> {
  const guide = await readFile(join(ROOT, 'docs/guides/operating-the-ingestor.md'), 'utf8')
  const walk = guide.slice(guide.indexOf('<!-- walk'), guide.indexOf('<!-- end of walk'))
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  const run = (script: string): string => (scripts[script] ?? 'false').replace('node tools/toolchain/run.mjs ', '')
  return [...walk.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map(([, block = '']) => block)
    .join('')
    .replace(/npm run (services|ingestor) (?:--silent )?--/g, (_found, script: string) => run(script))
    .replaceAll('node tools/toolchain/run.mjs ', '')
    .replaceAll('localhost:4001', `localhost:${port}`)
}

it('the way from nothing in the guide leads to rows in both stores', async (context) => {
  const kafka = inject('kafka')
  const world = await openWorld()
  if (world === null) return context.skip(`needs Apache Kafka: ${kafka.found === null ? kafka.remedy : ''}`)
  // The guide's names are everybody's: the walk has names of its own for what it makes.
  const rides = world.newTopic()
  const database = `${world.environment.CLICKHOUSE_DATABASE}_walk`
  const own = (text: string): string => text.replaceAll('rides', rides).replaceAll('smart_whale', database)
  const [folder, port] = [await freshCheckout(), await findFreePort()]
  try {
    const pipelines = await world.file('pipelines.json', own(await readFile(join(ROOT, APP, 'pipelines.example.json'), 'utf8')))
    const { DATABASE_URL: url = '', KAFKA_SESSION_TIMEOUT_MS: _short, ...servers } = world.environment
    const environment = { PATH: `${join(process.execPath, '..')}:${process.env.PATH}`, ...servers, TIMESCALEDB_URL: url, CLICKHOUSE_DATABASE: database, PIPELINES_FILE: pipelines, PORT: String(port) }
    const { code, output } = await runScript(`set -e\n${own(await walkOf(port))}\nwait $ingestor\necho "it ended with $?"`, folder, environment)

    expect(output).toMatch(new RegExp(`warning +topic ${rides} +is not there; the start makes it`))
    expect(output).toMatch(new RegExp(`warning +ClickHouse database ${database} +is not there; the start makes it`))
    expect(output).toContain(`${rides}: whole`)
    expect(output).toContain('Oslo\t12.5')
    expect(output).toContain('it ended with 0')
    expect(code).toBe(0)
    expect(await world.timescaledb.execute(`select city, fare from ${rides}`)).toEqual([{ city: 'Oslo', fare: '12.50' }])
  } finally {
    await world.clickhouse.execute(`DROP DATABASE IF EXISTS ${database} SYNC`)
    await world.close()
    await rm(folder, { recursive: true, force: true })
  }
})

function runScript(script: string, folder: string, environment: NodeJS.ProcessEnv): Promise<{ code: unknown; output: string }> {
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], { cwd: folder, env: environment, timeout: 240_000 }, (error, out, errors) => resolve({ code: error === null ? 0 : error.code, output: out + errors }))
  })
}
