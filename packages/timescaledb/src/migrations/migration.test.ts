import { describe, expect, it } from 'vitest'
import { builtInMigrations } from './built-in-migrations.ts'
import { checksumOf, inOrder, type Migration } from './migration.ts'

const migration = (id: string, change: Partial<Migration> = {}): Migration => ({ id, description: 'a test', up: ['select 1'], down: ['select 2'], ...change })

describe('checksumOf', () => {
  it('changes with what the migration does, and not with its description or its way back', () => {
    const original = migration('v001_a')

    expect(checksumOf({ ...original, description: 'other', down: [] })).toBe(checksumOf(original))
    expect(checksumOf({ ...original, up: ['select 2'] })).not.toBe(checksumOf(original))
    expect(checksumOf({ ...original, up: ['select', '1'] })).not.toBe(checksumOf(original))
  })

  it('changes with the revision of an action', () => {
    const run = async (): Promise<void> => {}
    const [one, two] = [1, 2].map((revision) => checksumOf(migration('v001_a', { up: [{ name: 'partition', revision, run }] })))

    expect(one).not.toBe(two)
  })
})

describe('inOrder', () => {
  it('sorts by id', () => {
    expect(inOrder([migration('v002_b'), migration('v001_a')]).map(({ id }) => id)).toEqual(['v001_a', 'v002_b'])
  })

  it.each([[[migration('V1')]], [[migration('')]], [[migration('v001_a'), migration('v001_a')]]])('refuses ids that are wrong or there twice', (migrations) => {
    expect(() => inOrder(migrations)).toThrow(expect.objectContaining({ code: 'ERR_TIMESCALEDB_CONFIGURATION' }))
  })
})

it('ships four migrations, each with a way back', () => {
  expect(builtInMigrations.map(({ id }) => id)).toEqual(['v001_initial_schema', 'v002_add_indexes', 'v003_partitioning', 'v004_tables_apart', 'v005_table_claims'])
  expect(builtInMigrations.every(({ up, down }) => up.length > 0 && down.length > 0)).toBe(true)
})
