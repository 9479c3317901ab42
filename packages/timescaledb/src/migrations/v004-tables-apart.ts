import { INGEST_LEDGER_TABLE, tablesApartDefinition, tablesApartIndex } from '../ledger/ingest-ledger-table.ts'
import { quoteIdentifier } from '../quote-identifier.ts'
import type { Migration } from './migration.ts'

/** The ledger's entries name the table that their rows go to. */
export const v004TablesApart: Migration = {
  id: 'v004_tables_apart',
  description: 'one pipeline alone stores a partition of a topic into a table',
  up: tablesApartDefinition(),
  down: [`drop index if exists ${quoteIdentifier(tablesApartIndex(INGEST_LEDGER_TABLE))}`, `alter table ${INGEST_LEDGER_TABLE} drop column if exists table_name`],
}
