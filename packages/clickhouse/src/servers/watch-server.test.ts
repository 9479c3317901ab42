import { createBreaker } from '@smart-whale/core-resilience'
import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { ConnectionError } from '../errors.ts'
import { ServerWatch } from './watch-server.ts'

describe('ServerWatch', () => {
  function watched() {
    const clock = new FakeClock()
    const breaker = createBreaker({ consecutiveFailures: 3, openMs: 250, clock })
    const world = { isAwaited: true, isReplaceable: true, answers: true }
    const asked: number[] = []
    const lost: number[] = []
    const ask = async (): Promise<void> => {
      asked.push(clock.monotonic())
      if (!world.answers) throw new ConnectionError('away')
    }
    const watch = new ServerWatch({
      breaker,
      ask,
      isAwaited: () => world.isAwaited,
      isReplaceable: () => world.isReplaceable,
      onLost: () => lost.push(clock.monotonic()),
      everyMs: 500,
      openMs: 250,
      clock,
    })
    return { clock, breaker, world, asked, lost, watch, begunAtMs: clock.monotonic() }
  }

  it('asks nothing while the server is heard of, and nothing at all when nobody waits', async () => {
    const { clock, world, asked, watch } = watched()
    watch.wake()
    for (let step = 0; step < 10; step++) {
      watch.heard()
      await clock.advance(300)
    }
    expect(asked).toEqual([])

    world.isAwaited = false
    await clock.advance(10_000)

    expect(asked).toEqual([])
  })

  it('asks as soon as the server has been quiet for so long, and leaves one that answers to its slow queries', async () => {
    const { clock, breaker, asked, lost, watch, begunAtMs } = watched()
    watch.wake()
    await clock.advance(400)
    watch.heard()

    await clock.advance(600)

    expect(asked.map((at) => at - begunAtMs)).toEqual([900])
    expect([breaker.state, lost]).toEqual(['closed', []])
  })

  it('gives up one that does not answer, and lets it back when it does, with nobody waiting for it', async () => {
    const { clock, breaker, world, lost, watch, begunAtMs } = watched()
    world.answers = false
    watch.wake()
    await clock.advance(500)
    expect(lost.map((at) => at - begunAtMs)).toEqual([500])
    expect(breaker.state).toBe('open')

    world.isAwaited = false
    await clock.advance(2_000)
    expect(breaker.state).toBe('open')
    world.answers = true
    await clock.advance(500)

    expect(breaker.state).toBe('closed')
  })

  it('does not give up the last one for being silent', async () => {
    const { clock, breaker, world, asked, lost, watch } = watched()
    world.answers = false
    world.isReplaceable = false
    watch.wake()

    await clock.advance(1_600)

    expect(asked).toHaveLength(3)
    expect([breaker.state, lost]).toEqual(['closed', []])
  })

  it('leaves no timer behind', async () => {
    const { clock, asked, watch } = watched()
    watch.wake()
    watch.close()
    watch.wake()

    await clock.advance(5_000)

    expect(asked).toEqual([])
  })
})
