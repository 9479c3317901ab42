import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Priority } from '../schemas/enumerations.ts'
import { WorkSlots } from './work-slots.ts'

const never = new AbortController().signal
const LANES = Object.values(Priority)

/** Who gets the slot when all of these always want it. */
async function turns(slots: WorkSlots, lanes: readonly number[], rounds: number): Promise<number[]> {
  const order: number[] = []
  const ended = new AbortController()
  const work = async (lane: number): Promise<void> => {
    for (;;) {
      const release = await slots.acquire(ended.signal, lane)
      if (release === undefined) return
      order.push(lane)
      if (order.length >= rounds) ended.abort()
      await turn()
      release()
    }
  }
  await Promise.all(lanes.flatMap((lane) => [work(lane), work(lane)]))
  return order.slice(0, rounds)
}

describe('work slots', () => {
  it('give each lane its share when all of them flood, and starve none', async () => {
    const order = await turns(new WorkSlots(1), LANES, 31 * 20)

    const shares = LANES.map((lane) => order.filter((each) => each === lane).length)

    expect(shares[0]).toBeGreaterThan(shares[1] ?? 0)
    for (const [index, share] of shares.entries()) expect(Math.abs(share - 20 * 2 ** (4 - index))).toBeLessThanOrEqual(3)
    // The longest that the least urgent lane waits for its turn.
    const background = order.flatMap((lane, index) => (lane === Priority.BACKGROUND ? [index] : []))
    expect(Math.max(...background.slice(1).map((at, index) => at - (background[index] ?? 0)))).toBeLessThanOrEqual(34)
  })

  it('give the next free one to an urgent message that comes after a pause', async () => {
    const slots = new WorkSlots(2)
    const held = await Promise.all([slots.acquire(never, Priority.BACKGROUND), slots.acquire(never, Priority.BACKGROUND)])
    const order: number[] = []
    for (const lane of [Priority.BACKGROUND, Priority.LOW, Priority.MEDIUM, Priority.BACKGROUND, Priority.CRITICAL]) void slots.acquire(never, lane).then(() => order.push(lane))

    held[0]?.()
    await turn()
    await turn()

    expect(order).toEqual([Priority.CRITICAL])
  })

  it('come back once, and are not given to who has gone', async () => {
    const slots = new WorkSlots(1)
    const release = await slots.acquire(never)
    const gone = new AbortController()
    const leaving = slots.acquire(gone.signal)
    const waiting = slots.acquire(never)
    gone.abort()

    release?.()
    release?.()

    expect(await leaving).toBeUndefined()
    expect(await waiting).toBeTypeOf('function')
    const third = slots.acquire(gone.signal)
    expect(await third).toBeUndefined()
  })
})
