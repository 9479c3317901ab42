import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest'
import { ROOT } from '../../docker/read-stack.ts'
import { findFreePorts } from '../src/free-ports.ts'
import { signalTree } from '../src/process-tree.ts'
import { findRedis } from '../src/redis/find-redis.ts'
import { askRedis } from '../src/redis/redis-wire.ts'
import { type RedisServers, startRedis, type StartRedisOptions } from '../src/redis/start-redis.ts'
import { startOr } from './start-or-skip.ts'

/** Below the ports that anything else here is given. */
const BUS_PORTS = 10_240

const portOf = (server: { address: string } | undefined): number => Number(server?.address.split(':')[1])

async function started(context: TestContext, options: StartRedisOptions): Promise<RedisServers> {
  const { started: servers, lack } = await startOr(() => startRedis(options))
  if (servers === undefined) return context.skip(`needs ${options.build ?? 'Redis'}: ${lack}`)
  onTestFinished(() => servers.stop())
  return servers
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await sleep(50)
}

describe('startRedis', { timeout: 120_000 }, () => {
  it.for([
    { build: 'redis-8', says: /redis_version:8\./ },
    { build: 'redis-7', says: /redis_version:7\./ },
    { build: 'valkey-8', says: /valkey_version:8\./ },
  ] as const)('starts $build', async ({ build, says }, context) => {
    const { nodes } = await started(context, { build })

    expect(await askRedis(portOf(nodes[0]), ['INFO', 'server'])).toMatch(says)
  })

  it('starts a cluster whose masters share the slots', async (context) => {
    const { nodes } = await started(context, { layout: 'cluster' })

    const answers = await Promise.all(nodes.map((node) => askRedis(portOf(node), ['SET', 'key', 'value']).catch((error: Error) => error.message)))

    expect(answers.filter((answer) => answer === 'OK')).toHaveLength(1)
    expect(answers.filter((answer) => answer.includes('MOVED'))).toHaveLength(2)
  })

  it('starts Sentinels that put the replica in the place of a killed master', async (context) => {
    const { nodes, sentinels } = await started(context, { layout: 'sentinel' })
    const [master, replica] = nodes as [(typeof nodes)[number], (typeof nodes)[number]]

    await master.kill()

    await until(async () => /role:master/.test(await askRedis(portOf(replica), ['INFO', 'replication'])))
    await until(async () => (await askRedis(portOf(sentinels[0]), ['INFO', 'sentinel'])).includes(replica.address))
  })
})

describe('the scripts of the containers', { timeout: 120_000 }, () => {
  async function run(context: TestContext, script: string, ports: readonly number[]): Promise<void> {
    const { started: program, lack } = await startOr(() => findRedis('redis-8'))
    if (program === undefined) return context.skip(`needs Redis: ${lack}`)
    const env = { ...process.env, PATH: `${dirname(program)}${delimiter}${process.env.PATH ?? ''}`, BUS_PORT: String(BUS_PORTS + Math.floor(Math.random() * 3_000) * 3) }
    const temporary = mkdtempSync(join(tmpdir(), 'smart-whale-script-'))
    const shell = spawn('sh', [join(ROOT, 'docker/services', script), ...ports.map(String)], { env: { ...env, TMPDIR: temporary }, stdio: 'ignore' })
    onTestFinished(async () => {
      signalTree(shell.pid as number, 'SIGKILL')
      if (shell.exitCode === null && shell.signalCode === null) await once(shell, 'exit')
      rmSync(temporary, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    })
  }

  it('make a cluster', async (context) => {
    const ports = await findFreePorts(3)
    await run(context, 'redis-cluster.sh', ports)

    await until(async () => (await askRedis(ports[0] as number, ['CLUSTER', 'INFO'])).includes('cluster_state:ok'))
  })

  it('make Sentinels that know the master, its replica and each other', async (context) => {
    const ports = await findFreePorts(5)
    await run(context, 'redis-sentinel.sh', ports)

    await until(async () => /name=mymaster,status=ok.*slaves=1,sentinels=3/.test(await askRedis(ports[2] as number, ['INFO', 'sentinel'])))
  })
})
