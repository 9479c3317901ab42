import { createHash } from 'node:crypto'
import type { TimescaleCapabilities } from '../capabilities.ts'
import { TimescaleConfigurationError } from '../errors.ts'
import type { PartitionManager } from '../partitions/partition-manager.ts'
import type { TimescaleTransaction } from '../timescale-storage.ts'

/** What a step that isn't plain SQL works with. */
export interface MigrationContext {
  /** The migration's own transaction; everything goes through it. */
  readonly transaction: TimescaleTransaction
  readonly capabilities: TimescaleCapabilities
  readonly partitions: PartitionManager
  readonly signal: AbortSignal | undefined
}

/** A step whose SQL depends on the server. */
export interface MigrationAction {
  /** Says in a few words what it does; shown by a dry run. */
  readonly name: string
  /** Part of the checksum: another number for another behaviour. */
  readonly revision: number
  run(context: MigrationContext): Promise<void>
}

/** One statement, or an action. */
export type MigrationStep = string | MigrationAction

/** One change of the schema, and the way back. */
export interface Migration {
  /** `v001_initial_schema`; migrations run in the order of this text. */
  readonly id: string
  readonly description: string
  readonly up: readonly MigrationStep[]
  /** Undoes `up`; empty when there is no way back. */
  readonly down: readonly MigrationStep[]
}

const ID = /^[a-z0-9][a-z0-9_]{0,62}$/

/** What the migration does when applied, as a number that changes with it. The way back may be mended later. */
export function checksumOf(migration: Migration): string {
  const hash = createHash('sha256')
  for (const step of migration.up) hash.update(describeStep(step)).update('\0')
  return hash.digest('hex')
}

/** The step as a dry run shows it. */
export function describeStep(step: MigrationStep): string {
  return typeof step === 'string' ? step : `-- ${step.name} (revision ${step.revision})`
}

/**
 * The migrations in the order in which they run.
 *
 * @throws TimescaleConfigurationError for an id that is wrong or there twice
 */
export function inOrder(migrations: readonly Migration[]): readonly Migration[] {
  const sorted = [...migrations].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  for (const [index, { id }] of sorted.entries()) {
    if (!ID.test(id)) {
      throw new TimescaleConfigurationError(`migration id "${id}" must be 1 to 63 small letters, digits and underscores, such as v004_add_region`)
    }
    if (sorted[index + 1]?.id === id) throw new TimescaleConfigurationError(`there are two migrations with the id ${id}: give one of them another`)
  }
  return sorted
}
