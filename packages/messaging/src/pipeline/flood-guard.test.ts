import { describe, expect, it } from 'vitest'
import { FloodGuard } from './flood-guard.ts'

describe('FloodGuard', () => {
  it('lets few bad records through, however large their share', () => {
    const guard = new FloodGuard({ window: 1000 })

    expect(() => guard.admit(500, 500)).not.toThrow()
  })

  it('halts when more than half of the latest window is bad', () => {
    const guard = new FloodGuard({ window: 1000 })
    guard.admit(10_000, 0)
    for (let slice = 0; slice < 5; slice++) guard.admit(100, 100)

    expect(() => {
      for (let slice = 0; slice < 6; slice++) guard.admit(100, 100)
    }).toThrow(/are bad/)
  })

  it('forgets bad records that lie further back than the window', () => {
    const guard = new FloodGuard({ window: 1000 })
    for (let round = 0; round < 20; round++) {
      guard.admit(400, 400)
      guard.admit(1000, 0)
    }
  })

  it('takes the share that it is given', () => {
    const guard = new FloodGuard({ window: 100, maxBadShare: 0.1 })

    expect(() => guard.admit(100, 10)).not.toThrow()
    expect(() => guard.admit(100, 11)).toThrow()
  })

  it('expects refusals of a store for some slices after one', () => {
    const guard = new FloodGuard()
    const expected: boolean[] = []
    for (let slice = 0; slice < 20; slice++) {
      guard.admit(1000, 5)
      expected.push(guard.expectsRefusals)
      if (slice === 3) guard.admitRefused(1)
    }

    expect(expected.map(Number).join('')).toBe('00001111111000000000')
  })
})
