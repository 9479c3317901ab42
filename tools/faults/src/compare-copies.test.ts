import { describe, expect, it } from 'vitest'
import { compareCopies, findingsOf } from './compare-copies.ts'
import { SentEvents } from './sent-events.ts'

function sentEvents(): SentEvents {
  const sent = new SentEvents(2)
  for (const sequence of [0, 1, 2]) sent.acknowledge(sequence)
  sent.leaveOpen(3)
  sent.refuse(4)
  return sent
}

describe('compareCopies', () => {
  it('finds nothing wrong when all is there once, with or without what is unknown', () => {
    const nothing = { lost: [], doubled: [], foreign: [] }

    expect(compareCopies(sentEvents(), new Map([[0, 1], [1, 1], [2, 1]]))).toEqual(nothing)
    expect(compareCopies(sentEvents(), new Map([[0, 1], [1, 1], [2, 1], [3, 1]]))).toEqual(nothing)
  })

  it('names what is lost, doubled or was never accepted', () => {
    const difference = compareCopies(sentEvents(), new Map([[0, 2], [2, 1], [3, 2], [4, 1], [99, 1]]))

    expect(difference).toEqual({ lost: [1], doubled: [0, 3], foreign: [4, 99] })
    expect(findingsOf('store', difference).map(({ isMet }) => isMet)).toEqual([false, false, false])
  })
})
