import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AssignableMember, type AssignablePartition, assignPartitions } from './assign-partitions.ts'

const TOPICS = ['a', 'b', 'c']
const member = (id: string, topics: readonly string[] = TOPICS): AssignableMember => ({ id, topics: new Set(topics) })
const partitionsOf = (topic: string, count: number): AssignablePartition[] =>
  Array.from({ length: count }, (_, partition) => ({ key: `${topic}/${partition}`, topic }))

const loads = (assignment: ReadonlyMap<string, string>, members: readonly AssignableMember[]): number[] =>
  members.map(({ id }) => [...assignment.values()].filter((holder) => holder === id).length)

describe('assignPartitions', () => {
  it('gives each partition to one member that wants it, and nobody two more than another who could have one of them', () => {
    const scenario = fc.record({
      counts: fc.array(fc.nat(8), { minLength: 3, maxLength: 3 }),
      members: fc.array(fc.subarray(TOPICS, { minLength: 1 }), { maxLength: 6 }),
      previous: fc.array(fc.nat(8), { maxLength: 24 }),
    })
    fc.assert(
      fc.property(scenario, ({ counts, members: wishes, previous }) => {
        const partitions = TOPICS.flatMap((topic, i) => partitionsOf(topic, counts[i] ?? 0))
        const members = wishes.map((topics, i) => member(`m${i}`, topics))
        const before = new Map(partitions.map(({ key }, i) => [key, `m${previous[i] ?? 99}`]))

        const assignment = assignPartitions(partitions, members, before)

        for (const { key, topic } of partitions) {
          const takers = members.filter((each) => each.topics.has(topic))
          const holder = assignment.get(key)
          expect(takers.length === 0 ? holder === undefined : takers.some(({ id }) => id === holder)).toBe(true)
          const load = (id: string | undefined): number => [...assignment.values()].filter((other) => other === id).length
          for (const taker of takers) expect(load(holder) - load(taker.id)).toBeLessThanOrEqual(1)
        }
        expect(assignment.size).toBeLessThanOrEqual(partitions.length)
      }),
    )
  })

  it('moves no more than a new member must get, and nothing that a leaving one did not have', () => {
    const partitions = partitionsOf('a', 12)
    const three = assignPartitions(partitions, [member('x'), member('y'), member('z')], new Map())
    const four = assignPartitions(partitions, [member('x'), member('y'), member('z'), member('new')], three)
    const threeAgain = assignPartitions(partitions, [member('x'), member('y'), member('new')], four)

    const moved = [...four].filter(([key, holder]) => three.get(key) !== holder)
    const movedAgain = [...threeAgain].filter(([key, holder]) => four.get(key) !== holder)
    expect(loads(three, [member('x'), member('y'), member('z')])).toEqual([4, 4, 4])
    expect(moved).toHaveLength(3)
    expect(moved.every(([, holder]) => holder === 'new')).toBe(true)
    expect(movedAgain.every(([key]) => four.get(key) === 'z')).toBe(true)
  })

  it('changes nothing when nothing has changed', () => {
    const partitions = [...partitionsOf('a', 5), ...partitionsOf('b', 2)]
    const members = [member('x', ['a']), member('y', ['a', 'b'])]
    const first = assignPartitions(partitions, members, new Map())

    expect(assignPartitions(partitions, members, first)).toEqual(first)
  })
})
