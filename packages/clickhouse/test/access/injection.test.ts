import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HOSTILE_TEXTS, hostileText, probeNames, probeTableName, probeValues } from '../../src/access/testing.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
beforeAll(async () => {
  database = await ownDatabase()
})
afterAll(() => database?.drop())

/** The same choices at each run. */
function seeded(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

const below = seeded(7)
/** Hundreds of thousands of them are tried by the fault run `injection`. */
const texts = [...HOSTILE_TEXTS, ...Array.from({ length: 40 }, () => hostileText(below))]

describe('a hostile text', () => {
  it('comes back as it is from every slot that a value can have', async () => {
    const { holes, refused, same } = await probeValues(database.reader, texts)

    expect(holes).toEqual([])
    expect(refused).toBe(0)
    expect(same).toBe(texts.length * 11)
  })

  it('is a name in every slot of a name, or refused as one, and never syntax', async () => {
    const columns = await probeNames(database.reader, texts.slice(0, 40))
    const tables = []
    for (const text of texts.slice(0, 25)) tables.push(await probeTableName(database.reader, text))

    expect([...columns.holes, ...tables.flatMap(({ holes }) => holes)]).toEqual([])
    expect(columns.same).toBe(39 * 4)
  })
})
