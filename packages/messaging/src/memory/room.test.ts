import { describe, expect, it } from 'vitest'
import { Room } from './room.ts'

const never = new AbortController().signal

describe('Room', () => {
  it('lets in whoever came first, even when a later one would fit sooner', async () => {
    const room = new Room()
    const entered: string[] = []
    let free = 0
    const enter = async (name: string, size: number, signal = never): Promise<void> => {
      await room.enter(() => {
        if (size > free) return false
        free -= size
        return true
      }, signal)
      entered.push(name)
    }

    const large = enter('large', 10)
    free = 5
    room.changed()
    const small = enter('small', 1)
    await Promise.resolve()
    expect(entered).toEqual([])
    free = 11
    room.changed()
    await Promise.all([large, small])

    expect(entered).toEqual(['large', 'small'])
    expect(room.waiting).toBe(0)
  })

  it('goes on with the next when one gives up, and lets nobody overtake those before', async () => {
    const room = new Room()
    const leave = new AbortController()
    const entered: string[] = []
    let open = false
    const enter = (name: string, signal: AbortSignal): Promise<unknown> =>
      room.enter(() => open, signal).then(
        () => entered.push(name),
        (error: { code: string }) => entered.push(`${name} ${error.code}`),
      )
    const all = [enter('first', never), enter('second', leave.signal), enter('third', never)]

    leave.abort()
    await all[1]
    expect(entered).toEqual(['second ERR_ABORTED'])
    open = true
    room.changed()
    await Promise.all(all)

    expect(entered).toEqual(['second ERR_ABORTED', 'first', 'third'])
  })
})
