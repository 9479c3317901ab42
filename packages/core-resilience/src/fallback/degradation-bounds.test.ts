import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import { Degradation, type DegradationOptions } from '../index.ts'

const atOnce = (options: DegradationOptions = {}): { clock: FakeClock; service: Degradation } => {
  const clock = new FakeClock()
  return { clock, service: new Degradation({ clock, enterAfterMs: 0, leaveAfterMs: 0, ...options }) }
}

describe('the bounds of a service level', () => {
  it('are entered at, and left below', () => {
    const { service } = atOnce()
    const levels = [0.69, 0.7, 0.5, 0.49, 0.89, 0.9, 0.7, 0.69, 0.5, 0.49].map((pressure) => {
      service.report('queue', pressure)
      return service.level
    })

    expect(levels).toEqual(['full', 'reduced', 'reduced', 'full', 'reduced', 'minimal', 'minimal', 'reduced', 'reduced', 'full'])
    service.dispose()
  })

  it('go by the highest of all sources', () => {
    const { service } = atOnce()
    for (const [source, pressure] of [['one', 0.95], ['other', 0.1], ['third', 0.6]] as const) service.report(source, pressure)
    expect(service.level).toBe('minimal')

    service.report('one', 0)

    expect(service.level).toBe('reduced')
    service.dispose()
  })

  it.each(['reduced', 'minimal'] as const)('are shares, the one to leave below as well: %s', (level) => {
    expect(() => new Degradation({ [level]: { enterAt: 0.8, leaveBelow: -0.1 } })).toThrow(expect.objectContaining({ context: { option: `${level}.leaveBelow` } }))
  })
})

describe('a service level that is disposed of', () => {
  it('tells nobody any more, and leaves no timer', async () => {
    const { clock, service } = atOnce({ enterAfterMs: 100 })
    const heard: boolean[] = []
    service.subscribe('full', (isOn) => heard.push(isOn))
    const before = heard.length
    service.report('queue', 1)

    service.dispose()
    expect(clock.pendingTimers).toBe(0)
    expect(() => service.report('queue', 1)).toThrow(expect.objectContaining({ code: 'ERR_RESILIENCE_DISPOSED' }))
    await clock.advance(1_000)

    expect([heard.length, clock.pendingTimers]).toEqual([before, 0])
  })
})
