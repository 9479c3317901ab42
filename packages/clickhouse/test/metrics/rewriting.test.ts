import { expect, it } from 'vitest'
import { ownDatabase } from '../own-database.ts'
import { checkRewriting } from './check-rewriting.ts'

// The same with ten thousand questions: npm run test:faults -- metric-rewriting
it('random questions about random rows are answered by every rollup that takes them as by the source', async () => {
  const database = await ownDatabase()
  try {
    const found = await checkRewriting({ owner: database.owner, sets: 1, questions: 30, rows: 2000, seed: 7, only: ['hours', 'quarters_of_hours', 'days_in_oslo'] })

    expect(found.differences).toEqual([])
    expect(Object.keys(found.byRollup).length).toBeGreaterThanOrEqual(2)
  } finally {
    await database.drop()
  }
})
