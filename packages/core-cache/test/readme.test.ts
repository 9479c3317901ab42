import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RedisServers } from '../../../tools/services/src/index.ts'
import { ownRedis } from './redis-servers.ts'

const PACKAGE = join(import.meta.dirname, '..')
let servers: RedisServers | null = null
let remedy = ''

beforeAll(async () => {
  const redis = await ownRedis()
  servers = redis.found
  if (redis.found === null) remedy = redis.remedy
})
afterAll(() => servers?.stop())

/** Runs a program within the package, and answers with what it printed and how it ended. */
async function run(source: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const folder = await mkdtemp(join(PACKAGE, 'test/readme-'))
  const file = join(folder, 'snippet.ts')
  await writeFile(file, source)
  try {
    const child = spawn(process.execPath, ['--conditions=@smart-whale/source', file], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { code, output }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

it('every program in the README runs', { timeout: 120_000 }, async (context) => {
  if (servers === null) return context.skip(`needs Redis: ${remedy}`)
  const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8')
  const programs = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, program]) => program as string)

  const outcomes = []
  for (const program of programs) {
    const ending = program.includes('disconnect') ? '' : '\nprocess.exit(0)\n'
    outcomes.push(await run(program.replace('redis://localhost:6379', `redis://${servers.nodes[0]?.address}`) + ending))
  }

  expect(outcomes.map(({ code, output }) => (code === 0 ? 'ran' : output))).toEqual(programs.map(() => 'ran'))
  expect(outcomes.map(({ output }) => output.split('\n')[0])).toEqual(['Ada', '1.08 1', '1 1'])
})
