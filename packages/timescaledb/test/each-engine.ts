import { describe, inject, it } from 'vitest'
import type { FoundEngine } from '../../../tools/engines/found.ts'
import { type FreshDatabase, freshDatabase } from '../../../tools/engines/fresh-database.ts'
import { freshTimescaleDatabase } from '../../../tools/engines/fresh-timescale-database.ts'
import type { TestTimescaleDb } from '../../../tools/engines/timescaledb.ts'

/** A server that suites run on. */
export interface TestEngine {
  readonly name: string
  /** Whether tables are cut into chunks by TimescaleDB rather than into native partitions. */
  readonly hypertables: boolean
  /** An empty database of a test's own, with the extension where the server has it. */
  freshDatabase(): Promise<FreshDatabase>
  /** One without the extension, on the same server. */
  freshPlainDatabase(): Promise<FreshDatabase>
}

const freshPlain = (): Promise<FreshDatabase> => freshDatabase(inject('postgres'))

/** PostgreSQL without TimescaleDB, for what concerns native partitions alone. */
export const plainPostgres: TestEngine = { name: 'PostgreSQL', hypertables: false, freshDatabase: freshPlain, freshPlainDatabase: freshPlain }

interface Candidate {
  readonly name: string
  readonly engine: FoundEngine<TestTimescaleDb>
}

const candidates: readonly [Candidate, Candidate] = [
  { name: 'TimescaleDB', engine: inject('timescaledb') },
  { name: 'TimescaleDB on PostgreSQL 18', engine: inject('timescaledb18') },
]

/** Runs a suite on plain PostgreSQL and on each TimescaleDB. One that this machine can't provide is skipped, with the remedy. */
export function describeEngines(suite: (engine: TestEngine) => void): void {
  describe(`on ${plainPostgres.name}`, () => suite(plainPostgres))
  describeTimescale(suite)
}

/** Runs a suite on plain PostgreSQL and on one TimescaleDB: for what no version of the extension has a hand in. */
export function describeEditions(suite: (engine: TestEngine) => void): void {
  describe(`on ${plainPostgres.name}`, () => suite(plainPostgres))
  describeCandidate(candidates[0], suite)
}

/** Like {@link describeEngines}, where plain PostgreSQL has nothing to show. */
export function describeTimescale(suite: (engine: TestEngine) => void): void {
  for (const candidate of candidates) describeCandidate(candidate, suite)
}

function describeCandidate({ name, engine }: Candidate, suite: (engine: TestEngine) => void): void {
  describe(`on ${name}`, () => {
    const { found } = engine
    if (found !== null) suite({ name, hypertables: true, freshDatabase: () => freshTimescaleDatabase(found), freshPlainDatabase: () => freshDatabase(found) })
    else it('runs', (context) => context.skip(`needs TimescaleDB: ${engine.remedy}`))
  })
}
