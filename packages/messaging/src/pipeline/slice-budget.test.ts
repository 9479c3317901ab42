import { describe, expect, it } from 'vitest'
import { systemClock } from '@smart-whale/interfaces'
import { PartitionRoom, SliceBudget } from './slice-budget.ts'

const LITTLE = 16 * 1024
const MIB = 1024 * 1024
const never = new AbortController().signal

/** What a promise came to by now. */
async function byNow<T>(promise: Promise<T>): Promise<T | 'waits'> {
  await new Promise((resolve) => setImmediate(resolve))
  return Promise.race([promise, Promise.resolve('waits' as const)])
}

/** Cuts slices that are full until they are as large as they get. */
async function grown(room: PartitionRoom): Promise<number> {
  let bytes = 0
  for (let slice = 0; slice < 8; slice++) {
    bytes = await room.begin()
    room.cut(bytes)
    room.done()
  }
  return bytes
}

describe('SliceBudget', () => {
  it('lets slices grow to half of it, as long as they are full', async () => {
    const budget = new SliceBudget({ maxBytes: 8 * MIB })
    const room = new PartitionRoom(budget, 64 * MIB, systemClock, never)

    const first = await room.begin()
    room.cut(first)
    room.done()
    const largest = await grown(room)
    await room.begin()
    room.cut(100)
    room.done()

    expect([first, largest, await room.begin()]).toEqual([LITTLE, 4 * MIB, LITTLE])
  })

  it('lets a slice grow while it is read, as long as nobody else needs the room', async () => {
    const budget = new SliceBudget({ maxBytes: 2 * MIB })
    const [first, second] = [0, 1].map(() => new PartitionRoom(budget, 64 * MIB, systemClock, never)) as [PartitionRoom, PartitionRoom]
    await Promise.all([first.begin(), second.begin()])

    const grown = [first.grow(), first.grow(), first.grow(), first.grow(), second.grow(), second.grow(), second.grow()]
    first.close()
    second.close()

    expect(grown).toEqual([4 * LITTLE, 16 * LITTLE, MIB, MIB, 4 * LITTLE, 16 * LITTLE, MIB])
    expect(budget.heldBytes).toBe(0)
  })

  it('has a pipeline\'s own limit before its own', async () => {
    const room = new PartitionRoom(new SliceBudget({ maxBytes: 8 * MIB }), MIB, systemClock, never)

    expect(await grown(room)).toBe(MIB)
  })

  it('lets large slices wait for room in their order, and small ones pass', async () => {
    const budget = new SliceBudget({ maxBytes: 8 * MIB })
    const rooms = Array.from({ length: 4 }, () => new PartitionRoom(budget, 64 * MIB, systemClock, never))
    for (const room of rooms) await grown(room)
    const begun = rooms.map((room) => room.begin())
    const idle = new PartitionRoom(budget, 64 * MIB, systemClock, never)

    const before = await Promise.all(begun.map(byNow))
    const small = await byNow(idle.begin())
    idle.close()
    rooms[1]?.done()
    const after = await Promise.all(begun.map(byNow))

    expect(before).toEqual([4 * MIB, 4 * MIB, 'waits', 'waits'])
    expect(small).toBe(LITTLE)
    expect(after).toEqual([4 * MIB, 4 * MIB, 4 * MIB, 'waits'])
    expect(budget.heldBytes).toBe(8 * MIB)
  })

  it('lets nobody wait for ever: not behind a store that is away, nor when the partition is revoked', async () => {
    const budget = new SliceBudget({ maxBytes: 2 * MIB })
    const revoked = new AbortController()
    const [stuck, patient, leaving] = [never, never, revoked.signal].map((signal) => new PartitionRoom(budget, 64 * MIB, systemClock, signal)) as [PartitionRoom, PartitionRoom, PartitionRoom]
    for (const room of [stuck, patient, leaving]) await grown(room)
    await stuck.begin()
    await stuck.begin()

    const waiting = patient.begin()
    const left = leaving.begin()
    revoked.abort()

    expect(await byNow(left)).toBe(MIB / 4)
    expect(await byNow(waiting)).toBe('waits')
    expect(await waiting).toBe(MIB / 4)
  })

  it('holds nothing of a partition that was given up', async () => {
    const budget = new SliceBudget()
    const room = new PartitionRoom(budget, 64 * MIB, systemClock, never)
    await room.begin()
    await room.begin()
    room.drop()

    room.close()

    expect(budget.heldBytes).toBe(0)
  })
})
