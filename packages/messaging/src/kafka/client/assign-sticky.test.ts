import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignSticky, type KnownMember } from './assign-sticky.ts'
import type { TopicPartitions } from './group-protocol.ts'

const member = (memberId: string, topics: readonly string[], owned: TopicPartitions = new Map(), generation = -1): KnownMember => ({ memberId, topics, owned, generation })
const placesOf = (assigned: TopicPartitions): string[] => [...assigned].flatMap(([topic, numbers]) => numbers.map((partition) => `${topic}/${partition}`))
const loadOf = (assigned: TopicPartitions | undefined): number => placesOf(assigned ?? new Map()).length

/** Rounds of joining, until nobody has to give anything up; every member does what it is told. */
function settle(members: readonly { memberId: string; topics: readonly string[]; owned: TopicPartitions; generation: number }[], partitionsOf: ReadonlyMap<string, number>) {
  let current = members
  for (let round = 1; ; round++) {
    const assigned = assignSticky(current, partitionsOf)
    const gaveUp = current.some(({ memberId, owned }) => placesOf(owned).some((place) => !placesOf(assigned.get(memberId) as TopicPartitions).includes(place)))
    current = current.map(({ memberId, topics }) => member(memberId, topics, assigned.get(memberId), round))
    if (!gaveUp || round > 10) return { assigned, rounds: round, members: current }
  }
}

const topicNames = ['a', 'b', 'c']
const partitionCounts = fc.dictionary(fc.constantFrom(...topicNames), fc.integer({ min: 1, max: 12 }), { minKeys: 1 }).map((counts) => new Map(Object.entries(counts)))

describe('sharing partitions out', () => {
  it('gives a member alone all partitions of its topics, and none of others', () => {
    const assigned = assignSticky([member('m', ['a'])], new Map([['a', 3], ['b', 2]]))

    expect(assigned.get('m')).toEqual(new Map([['a', [0, 1, 2]]]))
  })

  it('gives a partition that its owner has to give up to nobody in the first round', () => {
    const partitions = new Map([['a', 2]])
    const old = member('old', ['a'], new Map([['a', [0, 1]]]), 1)

    const first = assignSticky([old, member('new', ['a'])], partitions)
    const second = assignSticky([member('old', ['a'], first.get('old'), 2), member('new', ['a'], first.get('new'), 2)], partitions)

    expect([loadOf(first.get('old')), loadOf(first.get('new'))]).toEqual([1, 0])
    expect([loadOf(second.get('old')), loadOf(second.get('new'))]).toEqual([1, 1])
  })

  it('believes the later of two claims, and none of two of one age', () => {
    const claim = new Map([['a', [0]]])
    const later = assignSticky([member('m1', ['a'], claim, 3), member('m2', ['a'], claim, 4)], new Map([['a', 1]]))
    const same = assignSticky([member('m1', ['a'], claim, 4), member('m2', ['a'], claim, 4)], new Map([['a', 1]]))

    expect([loadOf(later.get('m1')), loadOf(later.get('m2'))]).toEqual([0, 1])
    expect([loadOf(same.get('m1')), loadOf(same.get('m2'))]).toEqual([0, 0])
  })

  it('takes a member that owns what there is no more, and one that reads nothing', () => {
    const gone = member('m1', ['a'], new Map([['a', [0, 7]], ['gone', [1]]]), 2)

    const assigned = assignSticky([gone, member('m2', [])], new Map([['a', 1]]))

    expect(assigned.get('m1')).toEqual(new Map([['a', [0]]]))
    expect(assigned.get('m2')).toEqual(new Map())
  })

  it('never moves what is even already, whoever reads which topics', () => {
    const members = [member('m1', ['a'], new Map([['a', [0, 2, 4, 6, 8]]]), 1), member('m2', ['a'], new Map([['a', [1, 3, 5, 7, 9]]]), 1), member('m3', ['b'], new Map([['b', [0, 1]]]), 1)]

    const assigned = assignSticky(members, new Map([['a', 10], ['b', 2]]))

    for (const { memberId, owned } of members) expect(assigned.get(memberId)).toEqual(owned)
  })

  it('is even within one, complete, and gives no partition twice, after two rounds at most, when all read the same', () => {
    fc.assert(
      fc.property(partitionCounts, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }), (partitionsOf, before, left, joined) => {
        const topics = [...partitionsOf.keys()]
        const begun = settle(Array.from({ length: before }, (_, i) => member(`m${i}`, topics)), partitionsOf)
        const staying = begun.members.slice(Math.min(left, before - 1))
        const changed = settle([...staying, ...Array.from({ length: joined }, (_, i) => member(`n${i}`, topics))], partitionsOf)

        const loads = [...changed.assigned.values()].map(loadOf)
        const places = [...changed.assigned.values()].flatMap(placesOf)
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
        expect(places.length).toBe([...partitionsOf.values()].reduce((sum, count) => sum + count, 0))
        expect(new Set(places).size).toBe(places.length)
        expect(changed.rounds).toBeLessThanOrEqual(2)
      }),
    )
  })

  it('moves no more than it must when a member joins or leaves', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 8 }), (partitions, count) => {
        const partitionsOf = new Map([['a', partitions]])
        const begun = settle(Array.from({ length: count }, (_, i) => member(`m${i}`, ['a'])), partitionsOf)
        const after = settle([...begun.members, member('new', ['a'])], partitionsOf)

        const moved = begun.members.reduce((sum, { memberId, owned }) => sum + loadOf(owned) - loadOf(after.assigned.get(memberId)), 0)
        expect(moved).toBe(loadOf(after.assigned.get('new')))
        for (const { memberId, owned } of begun.members) for (const place of placesOf(after.assigned.get(memberId) as TopicPartitions)) expect(placesOf(owned)).toContain(place)
      }),
    )
  })

  it('never gives a partition to two members, in no round, whatever the members claim, and only topics that they read', () => {
    const anyMember = fc.record({
      topics: fc.subarray(topicNames),
      owned: fc.dictionary(fc.constantFrom(...topicNames), fc.uniqueArray(fc.integer({ min: 0, max: 12 })), { maxKeys: 3 }).map((owned) => new Map(Object.entries(owned))),
      generation: fc.integer({ min: -1, max: 5 }),
    })
    fc.assert(
      fc.property(partitionCounts, fc.array(anyMember, { minLength: 1, maxLength: 6 }), (partitionsOf, claims) => {
        const members = claims.map((claim, i) => ({ memberId: `m${i}`, ...claim }))
        const assigned = assignSticky(members, partitionsOf)

        const places = [...assigned.values()].flatMap(placesOf)
        expect(new Set(places).size).toBe(places.length)
        for (const { memberId, topics } of members) for (const topic of (assigned.get(memberId) as TopicPartitions).keys()) expect(topics).toContain(topic)
        expect(settle(members, partitionsOf).rounds).toBeLessThanOrEqual(4)
      }),
    )
  })
})
