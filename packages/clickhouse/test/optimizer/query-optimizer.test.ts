import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createQueryOptimizer, QueryError } from '../../src/index.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'
import { checkRewrites } from './check-rewrites.ts'

let own: OwnDatabase
beforeAll(async () => {
  own = await ownDatabase()
})
afterAll(async () => {
  await own.drop()
})

describe('createQueryOptimizer', () => {
  it('leaves the rows of random queries as they are', async () => {
    const { valid, made, wrong } = await checkRewrites(own.owner, 70, 5)

    expect(wrong).toEqual([])
    expect(valid).toBeGreaterThan(20)
    expect(made.size).toBeGreaterThanOrEqual(7)
  })

  it('names the columns that a star stands for, and no others', async () => {
    await own.owner.execute('CREATE TABLE starred (id UInt8, `odd name` String, made UInt8 MATERIALIZED id + 1, other UInt8 ALIAS id + 2, given UInt8 DEFAULT 3) ENGINE = MergeTree ORDER BY id')
    const optimizer = createQueryOptimizer(own.reader)

    const all = await optimizer.optimizeQueryWithColumnExpansion('SELECT * FROM starred WHERE id IN (SELECT k.id FROM (SELECT * FROM starred) AS k)')
    const qualified = await optimizer.optimizeQueryWithColumnExpansion('SELECT x.*, id + 1 AS more FROM starred AS x FINAL')
    const ambiguous = await optimizer.optimizeQueryWithColumnExpansion('SELECT *, id + 1 AS given FROM starred')
    const unknown = await optimizer.optimizeQueryWithColumnExpansion('SELECT * FROM numbers(3)')

    expect(all.query).toBe('SELECT `id`, `odd name`, `given` FROM starred WHERE id IN (SELECT k.id FROM (SELECT `id`, `odd name`, `given` FROM starred) AS k)')
    expect(qualified.query).toBe('SELECT `id`, `odd name`, `given`, id + 1 AS more FROM starred AS x FINAL')
    expect([ambiguous.rewrites, unknown.rewrites]).toEqual([[], []])
  })

  it('runs what it made, with its parameters, and tells', async () => {
    const optimizer = createQueryOptimizer(own.reader)

    const { rows, optimized } = await optimizer.executeOptimizedQuery('SELECT number AS n FROM numbers(10) WHERE number > :low AND number > :low', { low: 7 })

    expect(rows).toEqual([{ n: 8n }, { n: 9n }])
    expect(optimized).toMatchObject({ query: 'SELECT number AS n FROM numbers(10) WHERE number > :low', rewrites: [{ rule: 'repeated-condition', before: 'AND number > :low', after: '' }] })
  })

  it('tells what a query would read, without running it', async () => {
    await own.owner.execute('CREATE TABLE analyzed (id UInt64, name String) ENGINE = MergeTree ORDER BY id')
    await own.owner.insert('analyzed', [{ id: 1n, name: 'a' }])

    const { estimate, reads } = await createQueryOptimizer(own.reader).analyzeQuery('SELECT count() FROM analyzed WHERE name = :name', { name: 'a' })

    expect(estimate).toMatchObject({ rows: 1, parts: 1 })
    expect(reads).toHaveLength(1)
  })

  it('throws what the query itself is refused for', async () => {
    const optimizer = createQueryOptimizer(own.reader)

    await expect(optimizer.executeOptimizedQuery('SELECT nothing FROM nowhere WHERE 1 AND a = 2')).rejects.toSatisfy(QueryError.isInstance)
  })
})
