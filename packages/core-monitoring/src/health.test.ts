import { ConnectionError, type HealthProbe, type HealthResult, type Logger, silentLogger } from '@smart-whale/interfaces'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { createHealth, type HealthOptions } from './index.ts'

function probe(name: string, answer: HealthResult | (() => Promise<HealthResult>), critical?: boolean) {
  const asked: AbortSignal[] = []
  const check: HealthProbe['check'] = ({ signal }) => {
    asked.push(signal)
    return typeof answer === 'function' ? answer() : Promise.resolve(answer)
  }
  return { name, asked, check, ...(critical === undefined ? {} : { critical }) }
}
const up = { status: 'up' } as const
const down = { status: 'down', detail: 'gone' } as const
const never = () => new Promise<HealthResult>(() => {})

function setup(probes: readonly HealthProbe[], options: Partial<HealthOptions> = {}) {
  const clock = new FakeClock()
  const told: { level: string; fields: object; message: string | undefined }[] = []
  const say = (level: string) => ((fields: object, message?: string) => void told.push({ level, fields, message })) as Logger['warn']
  const logger = { ...silentLogger, info: say('info'), warn: say('warn') }
  return { clock, told, health: createHealth({ probes, clock, logger, ...options }) }
}

describe('health', () => {
  it.each<[string, HealthProbe[], string, boolean]>([
    ['everything is up', [probe('a', up), probe('b', up, false)], 'up', true],
    ['there are no dependencies', [], 'up', true],
    ['a critical dependency is down', [probe('a', down), probe('b', up)], 'down', false],
    ['a critical dependency is degraded', [probe('a', { status: 'degraded' }), probe('b', up)], 'degraded', true],
    ['another dependency is down', [probe('a', down, false), probe('b', up)], 'degraded', true],
  ])('when %s: report and readiness say so', async (_case, probes, status, ready) => {
    const { health } = setup(probes)

    expect(await health.report()).toMatchObject({ status, ready, phase: 'running' })
    expect((await health.ready()).ready).toBe(ready)
  })

  it('reports each dependency: what, how long, when', async () => {
    const { health, clock } = setup([probe('database', { status: 'degraded', detail: 'one replica left', data: { replicas: 1 } }, false)])
    await clock.advance(90_000)

    expect(await health.report()).toEqual({
      ready: true,
      phase: 'running',
      status: 'degraded',
      uptimeSeconds: 90,
      dependencies: [
        {
          name: 'database',
          critical: false,
          status: 'degraded',
          detail: 'one replica left',
          data: { replicas: 1 },
          durationMs: 0,
          checkedAt: '2026-01-01T00:01:30.000Z',
        },
      ],
    })
  })

  it('asks side by side; a probe that hangs is down at its deadline, is told to stop, and holds nobody else up', async () => {
    const hanging = probe('hanging', never)
    const { health, clock } = setup([hanging, probe('fine', up)], { timeoutMs: 500 })

    const report = await clock.runUntilSettled(health.report())

    expect(report.dependencies).toMatchObject([
      { name: 'hanging', status: 'down', detail: 'no answer within 500 ms', durationMs: 500 },
      { name: 'fine', status: 'up', durationMs: 0 },
    ])
    expect(hanging.asked[0]?.aborted).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('takes a probe that throws for down, and tells no more of a foreign error than its kind', async () => {
    const { health } = setup([
      probe('ours', () => Promise.reject(new ConnectionError('the database does not answer on port 5432'))),
      probe('foreign', () => Promise.reject(new TypeError('postgres://u:secret@h'))),
      { name: 'sync', check: () => expect.fail('at once') },
    ])

    const { dependencies } = await health.report()

    expect(dependencies.map(({ status, detail }) => [status, detail])).toEqual([
      ['down', 'the database does not answer on port 5432'],
      ['down', 'the probe failed with TypeError'],
      ['down', 'the probe failed with AssertionError'],
    ])
  })

  it.each([undefined, null, {}, { status: 'fine' }, 'up'])('takes the answer %j for down', async (answer) => {
    const { health } = setup([probe('a', () => Promise.resolve(answer as unknown as HealthResult))])

    expect((await health.report()).status).toBe('down')
  })

  it('asks once for many askers, and again when the result is stale', async () => {
    const database = probe('database', up)
    const { health, clock } = setup([database], { cacheMs: 1000 })

    await Promise.all([health.report(), health.ready(), health.report()])
    await clock.advance(999)
    await health.ready()
    expect(database.asked).toHaveLength(1)
    await clock.advance(1)
    await health.ready()

    expect(database.asked).toHaveLength(2)
  })

  it('does not pile up probes that hang, and asks again when one lets go', async () => {
    const releases: ((result: HealthResult) => void)[] = []
    const stuck = probe('stuck', () => new Promise((resolve) => releases.push(resolve)))
    const { health, clock } = setup([stuck], { timeoutMs: 10, cacheMs: 0 })

    for (let round = 0; round < 6; round += 1) await clock.runUntilSettled(health.report())
    expect(stuck.asked).toHaveLength(3)
    expect((await health.report()).dependencies[0]?.detail).toBe('3 earlier probes still hang')
    releases[0]?.(up)
    await clock.advance(0)
    await clock.runUntilSettled(health.report())

    expect(stuck.asked).toHaveLength(4)
  })

  it('says in the log when a dependency changes, and only then', async () => {
    let answer: HealthResult = up
    const { health, told, clock } = setup([probe('database', () => Promise.resolve(answer))], { cacheMs: 0 })

    for (const next of [up, down, down, { status: 'degraded' } as const, up, up]) {
      answer = next
      await health.report()
      await clock.advance(1)
    }

    expect(told.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'a dependency is down'],
      ['warn', 'a dependency is degraded'],
      ['info', 'a dependency is up again'],
    ])
    expect(told[0]?.fields).toEqual({ dependency: 'database', critical: true, status: 'down', detail: 'gone' })
  })
})

describe('liveness and readiness are apart', () => {
  it('a process is alive while its dependencies are not', async () => {
    const { health } = setup([probe('a', down)])

    expect(health.live()).toEqual({ status: 'up', uptimeSeconds: 0 })
    expect((await health.ready()).ready).toBe(false)
  })

  it('readiness does not ask dependencies that are not critical', async () => {
    const optional = probe('optional', never, false)
    const { health } = setup([optional, probe('a', up)])

    expect(await health.ready()).toEqual({ ready: true, phase: 'running', status: 'up' })
    expect(optional.asked).toEqual([])
  })

  it('a service is not ready before it has started, nor once it stops, whatever its dependencies say', async () => {
    const { health } = setup([probe('a', up)], { awaitStart: true })
    const seen = [await health.ready()]

    health.markStarted()
    seen.push(await health.ready())
    health.markStopping()
    health.markStarted()
    seen.push(await health.ready())

    expect(seen.map(({ ready, phase }) => [phase, ready])).toEqual([['starting', false], ['running', true], ['stopping', false]])
    expect(health.live().status).toBe('up')
    expect(await health.report()).toMatchObject({ ready: false, status: 'up', phase: 'stopping' })
  })

  it('close ends what runs and leaves no timer', async () => {
    const hanging = probe('hanging', never)
    const { health, clock } = setup([hanging], { cacheMs: 0 })
    const running = health.report()

    health.close()

    expect((await running).dependencies[0]).toMatchObject({ status: 'down', detail: 'health checks are closed' })
    expect(hanging.asked[0]?.aborted).toBe(true)
    expect(clock.pendingTimers).toBe(0)
    expect((await health.report()).status).toBe('down')
    expect(hanging.asked).toHaveLength(1)
  })
})

describe('options of health', () => {
  it.each<[string, Partial<HealthOptions>]>([
    ['timeoutMs', { timeoutMs: 0 }],
    ['cacheMs', { cacheMs: -1 }],
    ['probes', { probes: {} as HealthProbe[] }],
    ['probes.0.name', { probes: [probe('', up)] }],
    ['probes.1.name', { probes: [probe('a', up), probe('a', up)] }],
  ])('a wrong "%s" is named', (field, options) => {
    expect(() => setup([], options)).toThrow(
      expect.objectContaining({ code: 'ERR_MONITORING_OPTIONS', issues: [expect.objectContaining({ path: field.split('.') })] }),
    )
  })
})
