import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

/** Rows that can be told from those of any other batch: each says which batch it is of, many times over. */
const batchRows = (batch: number, count: number) => Array.from({ length: count }, (_, number) => ({ batch, number, text: `batch ${batch} `.repeat(1 + (number % 40)) }))

describe('the memory that batches are encoded in', () => {
  it('is never written while another batch is sent from it, whatever becomes of the batches', async () => {
    await database.owner.execute('CREATE TABLE batches (batch UInt32, number UInt32, text String) ENGINE = MergeTree ORDER BY (batch, number)')
    const adapter = database.connect()
    const sizes = Array.from({ length: 60 }, (_, batch) => 1 + ((batch * 7919) % 3000))

    // Six at a time; every fourth is given up at some moment between its first byte and its answer.
    const outcomes: ('stored' | 'given up')[] = []
    const remaining = sizes.entries()
    const insertInTurn = async (): Promise<void> => {
      for (const [batch, size] of remaining) {
        const signal = batch % 4 === 0 ? AbortSignal.timeout(1 + (batch % 12)) : undefined
        outcomes[batch] = await adapter.insert('batches', batchRows(batch, size), { signal }).then(
          () => 'stored' as const,
          () => 'given up' as const,
        )
      }
    }
    await Promise.all(Array.from({ length: 6 }, insertInTurn))

    const { rows: wrong } = await database.owner.execute("SELECT * FROM batches WHERE text != repeat(concat('batch ', toString(batch), ' '), 1 + number % 40) LIMIT 5")
    expect(wrong).toEqual([])
    const { rows } = await database.owner.execute<{ batch: number; stored: bigint; distinct: bigint }>('SELECT batch, count() AS stored, uniqExact(number) AS distinct FROM batches GROUP BY batch')
    const found = new Map(rows.map((row) => [row.batch, row]))
    for (const [batch, size] of sizes.entries()) {
      const whole = { batch, stored: BigInt(size), distinct: BigInt(size) }
      if (outcomes[batch] === 'stored') expect(found.get(batch)).toEqual(whole)
      else expect([undefined, whole]).toContainEqual(found.get(batch))
    }
    expect(outcomes.filter((outcome) => outcome === 'stored').length).toBeGreaterThanOrEqual(45)
  })
})
