import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RedisServers } from '../../../tools/services/src/index.ts'
import { ownRedis } from './redis-servers.ts'

// Here, for the libraries that people come from are installed beside the benchmarks alone.
const BESIDE_THE_PEERS = join(import.meta.dirname, '../../../tools/bench')

const programs = [...readFileSync(join(import.meta.dirname, '../README.md'), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code ?? '')
let servers: RedisServers | null = null
let remedy = ''

beforeAll(async () => {
  const redis = await ownRedis()
  servers = redis.found
  if (redis.found === null) remedy = redis.remedy
})
afterAll(() => servers?.stop())

/** What a program says that it prints: the comment behind each `console.log`. */
const promised = (code: string): string[] => [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text ?? '')

const firstImport = (code: string): string => /from '([^']+)'/.exec(code)?.[1] ?? ''

function isInstalled(name: string): boolean {
  try {
    createRequire(join(BESIDE_THE_PEERS, 'package.json')).resolve(name)
    return true
  } catch {
    return false
  }
}

describe('The programs of the README', () => {
  it('are there, with those of the libraries that people come from, and each says what it prints', () => {
    expect(programs.map(firstImport).filter((name) => ['bentocache', 'cache-manager'].includes(name))).toEqual(['bentocache', 'cache-manager'])
    expect(programs.filter((code) => promised(code).length === 0)).toEqual([])
  })

  it.for(programs.map((code) => [firstImport(code), code] as const))('print what they say: %s', async ([from, code], context) => {
    if (servers === null) return context.skip(`needs Redis: ${remedy}`)
    if (!from.startsWith('@smart-whale/') && !isInstalled(from)) return context.skip(`needs ${from}`)
    const [host = '', port = ''] = servers.nodes[0]?.address.split(':') ?? []
    const here = code.replaceAll('localhost:6379', `${host}:${port}`).replaceAll("'localhost', port: 6379", `'${host}', port: ${port}`)
    const ending = here.includes('disconnect') ? '' : '\nprocess.exit(0)\n'

    const run = promisify(execFile)(process.execPath, ['--conditions=@smart-whale/source', '--input-type=module-typescript', '--eval', here + ending], { cwd: BESIDE_THE_PEERS })

    expect((await run).stdout.trim().split('\n')).toEqual(promised(code))
  })
})
