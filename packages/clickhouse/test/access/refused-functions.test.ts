import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refuseLookingAround } from '../../src/access/refuse-looking-around.ts'
import { refuseReachingOut } from '../../src/parameters/refuse-reaching-out.ts'
import { type OwnDatabase, ownDatabase } from '../own-database.ts'

let database: OwnDatabase
beforeAll(async () => void (database = await ownDatabase()))
afterAll(() => database.drop())

function isRefused(name: string): boolean {
  const query = `SELECT ${name}('a')`
  try {
    refuseReachingOut({ query, parameters: {} })
    refuseLookingAround(query)
    return false
  } catch {
    return true
  }
}

describe('a function that tenants may not call', () => {
  it('has no other name by which they may', async () => {
    const { rows } = await database.owner.execute<{ name: string; names: string[] }>(
      "SELECT lower(if(alias_to = '', name, alias_to)) AS function, groupArray(name) AS names FROM system.functions GROUP BY function HAVING count() > 1 ORDER BY function",
    )
    const halfRefused = rows.map(({ names }) => names.filter((name) => !isRefused(name)).length / names.length).map((share, index) => (share > 0 && share < 1 ? rows[index]?.names : []))

    expect(rows.length).toBeGreaterThan(100)
    expect(halfRefused.flat()).toEqual([])
  })

  it.each(['authenticatedUser', 'globalVariable', 'getMaxTableNameLengthForDatabase', 'transactionID', 'transactionLatestSnapshot', 'transactionOldestSnapshot'])('is %s', (name) => {
    expect(isRefused(name)).toBe(true)
  })
})
