import type { Migration } from './migration.ts'
import { v001InitialSchema } from './v001-initial-schema.ts'
import { v002AddIndexes } from './v002-add-indexes.ts'
import { v003Partitioning } from './v003-partitioning.ts'
import { v004TablesApart } from './v004-tables-apart.ts'
import { v005TableClaims } from './v005-table-claims.ts'

/** What the services of this package need; add your own after them. */
export const builtInMigrations: readonly Migration[] = [v001InitialSchema, v002AddIndexes, v003Partitioning, v004TablesApart, v005TableClaims]
