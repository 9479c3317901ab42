import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { slotOf } from './cluster-slots.ts'
import { ShardHealth } from './shard-health.ts'

const refusal = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' })
const outcome = (asked: Promise<unknown>): Promise<unknown> => asked.catch((error: unknown) => (error as Error).name)

function watched() {
  const clock = new FakeClock()
  const health = new ShardHealth(80, clock)
  let asked = 0
  let probes = 0
  let isBack = false
  const never = (): Promise<never> => {
    asked += 1
    return new Promise(() => {})
  }
  const probe = async (): Promise<void> => {
    probes += 1
    if (!isBack) throw new TypeError('away')
  }
  return { clock, health, never, probe, comeBack: () => (isBack = true), counts: () => ({ asked, probes }) }
}

describe('A shard that does not answer', () => {
  it('costs its deadline once, is asked by nobody then, and is used again when a probe succeeds', async () => {
    const { clock, health, never, probe, comeBack, counts } = watched()

    const first = outcome(health.ask('a', never, probe))
    await clock.advance(80)
    expect(await first).toBe('ReplyError')
    expect(await outcome(health.ask('a', never, probe))).toBe('ReplyError')
    expect(await outcome(health.ask('b', async () => 'other', probe))).toBe('other')
    await clock.advance(250)
    expect(await outcome(health.ask('a', never, probe))).toBe('ReplyError')
    comeBack()
    await clock.advance(250)
    // Who asks first has it looked at.
    expect(await outcome(health.ask('a', never, probe))).toBe('ReplyError')
    await clock.advance(0)

    expect(await outcome(health.ask('a', async () => 'back', probe))).toBe('back')
    expect(counts()).toEqual({ asked: 1, probes: 2 })
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([
    ['whose connection broke', new TypeError('Connection is closed.'), true],
    ['that reads its file', refusal('LOADING Redis is loading the dataset in memory'), true],
    ['whose cluster knows nobody for the slot', refusal('CLUSTERDOWN Hash slot not served'), true],
    ['that refuses one command is an answer', refusal('OOM command not allowed'), false],
  ])('%s', async (_name, error, isLeftAlone) => {
    const { health, probe } = watched()

    await outcome(health.ask('a', () => Promise.reject(error), probe))

    expect(await outcome(health.ask('a', async () => 'asked', probe))).toBe(isLeftAlone ? 'ReplyError' : 'asked')
    health.close()
  })

  it('leaves no timer behind after it was closed', async () => {
    const { clock, health, never, probe } = watched()

    const late = outcome(health.ask('a', never, probe))
    health.close()
    await clock.advance(80)
    await late

    expect(clock.pendingTimers).toBe(0)
  })
})

describe('The slot of a name', () => {
  // As `CLUSTER KEYSLOT` tells them.
  it.each([
    ['123456789', 12_739],
    ['foo', 12_182],
    ['{user1000}.following', 3_443],
    ['{user1000}.followers', 3_443],
    ['', 0],
  ])('%s', (name, slot) => expect(slotOf(name)).toBe(slot))
})
