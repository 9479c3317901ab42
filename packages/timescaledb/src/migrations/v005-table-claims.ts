import { INGEST_LEDGER_TABLE, tableClaimsDefinition, tableClaimsTable } from '../ledger/ingest-ledger-table.ts'
import type { Migration } from './migration.ts'

/** A pipeline has a table for all partitions of a topic before it is given any of them. */
export const v005TableClaims: Migration = {
  id: 'v005_table_claims',
  description: 'one pipeline alone stores a topic into a table, and which one is decided before its first partition',
  up: tableClaimsDefinition(),
  down: [`drop table if exists ${tableClaimsTable(INGEST_LEDGER_TABLE)}`],
}
