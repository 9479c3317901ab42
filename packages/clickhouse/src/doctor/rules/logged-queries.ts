import type { Row } from '@smart-whale/interfaces'
import { readLoggedQuestions, type LoggedQuestion } from '../../advisor/logged-questions.ts'
import { questionParts } from '../../advisor/question-parts.ts'
import { quoteName, splitTableName } from '../../adapter/table-columns.ts'
import { count, type DoctorRule, found, type Found, type Look, percent, tableOf } from '../rule.ts'

const MOST_QUESTIONS = 200
/** Smaller tables are read as a whole in no time. */
const LEAST_GRANULES = 8

interface TableUse {
  readonly database: string
  readonly table: string
  times: number
  granulesRead: number
  granules: number
  readonly filters: Map<string, number>
}

async function usesOf(look: Look): Promise<TableUse[]> {
  const questions = await readLoggedQuestions(look.ask, { hours: look.thresholds.logHours, limit: MOST_QUESTIONS, inScope: look.inScope })
  const uses = new Map<string, TableUse>()
  for (const question of questions) {
    const [only] = question.tables
    if (question.tables.length === 1 && only !== undefined && question.granules >= LEAST_GRANULES) addUse(uses, only, question)
  }
  return [...uses.values()].filter(({ times }) => times >= look.thresholds.loggedQueries)
}

function addUse(uses: Map<string, TableUse>, name: string, question: LoggedQuestion): void {
  const [database, table] = splitTableName(name, question.database)
  const use = uses.get(name) ?? { database, table, times: 0, granulesRead: 0, granules: 0, filters: new Map<string, number>() }
  use.times += question.times
  use.granulesRead += question.granulesRead * question.times
  use.granules += question.granules * question.times
  for (const { column, kind } of questionParts(question.query).filters) {
    const key = `${column} ${kind === 'text' ? 'text' : kind}`
    use.filters.set(key, (use.filters.get(key) ?? 0) + question.times)
  }
  uses.set(name, use)
}

interface KeyRow extends Row {
  database: string
  table: string
  sorting_key: string
  columns: string[]
  indexed: string[]
}

async function keysOf(look: Look): Promise<Map<string, KeyRow>> {
  const rows = await look.ask<KeyRow>(
    `SELECT database, name AS table, sorting_key FROM system.tables WHERE ${look.inScope('database')} AND engine LIKE '%MergeTree'`,
  )
  const columns = await look.ask<Row & { database: string; table: string; names: string[] }>(`SELECT database, table, groupArray(name) AS names FROM system.columns WHERE ${look.inScope('database')} GROUP BY database, table`)
  const indexes = await look.ask<Row & { database: string; table: string; names: string[] }>(`SELECT database, table, groupArray(expr) AS names FROM system.data_skipping_indices WHERE ${look.inScope('database')} GROUP BY database, table`)
  const namesIn = (list: readonly (Row & { database: string; table: string; names: string[] })[], row: KeyRow): string[] => list.find((each) => each.database === row.database && each.table === row.table)?.names ?? []
  return new Map(rows.map((row) => [`${row.database}.${row.table}`, { ...row, columns: namesIn(columns, row), indexed: namesIn(indexes, row) }]))
}

/** Tables whose key does not help the questions that are asked. */
export const unusedKey: DoctorRule = {
  name: 'unused-key',
  summary: 'tables whose primary key does not help the questions of the query log: most granules are read each time',
  examine: async (look) => {
    const [uses, keys] = [await usesOf(look), await keysOf(look)]
    return uses.flatMap((use): Found[] => {
      const key = keys.get(`${use.database}.${use.table}`)
      const share = use.granulesRead / use.granules
      if (key === undefined || use.filters.size === 0 || share < look.thresholds.granulesReadShare) return []
      const filters = [...use.filters].sort((one, other) => other[1] - one[1]).map(([filter, times]) => `${filter.split(' ').slice(0, -1).join(' ')} (${count(times)}×)`)
      return [
        found('warning', `${use.database}.${use.table}`, `${count(use.times)} logged questions read ${percent(share)} of its granules on average: ORDER BY ${key.sorting_key === '' ? 'tuple()' : key.sorting_key} does not help them; they filter by ${[...new Set(filters)].slice(0, 5).join(', ')}`, {
          figures: { questions: use.times, granulesReadShare: share },
          advice: 'smart-whale-clickhouse advise proposes an order, a projection or an index for these questions, each with its measured gain',
        }),
      ]
    })
  },
}

/** Columns that are filtered by often, and that neither key nor index knows. */
export const missingIndex: DoctorRule = {
  name: 'missing-skip-index',
  summary: 'columns that questions of the query log filter by, and that neither key nor index knows',
  examine: async (look) => {
    const [uses, keys] = [await usesOf(look), await keysOf(look)]
    return uses.flatMap((use): Found[] => {
      const key = keys.get(`${use.database}.${use.table}`)
      if (key === undefined || use.granulesRead / use.granules < look.thresholds.granulesReadShare) return []
      return [...use.filters].flatMap(([filter, times]) => judgeFilter(use, key, filter, times, look.thresholds.loggedQueries))
    })
  },
}

const INDEX_TYPES: Readonly<Record<string, string>> = { equals: 'bloom_filter(0.01)', range: 'minmax', text: 'ngrambf_v1(4, 8192, 3, 0)' }

function judgeFilter(use: TableUse, key: KeyRow, filter: string, times: number, least: number): Found[] {
  const kind = filter.split(' ').at(-1) ?? ''
  const column = filter.slice(0, -kind.length - 1)
  const type = INDEX_TYPES[kind]
  const isKnown = new RegExp(`(?<![\\w])${column.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w])`)
  if (type === undefined || times < least || !key.columns.includes(column) || isKnown.test(key.sorting_key) || key.indexed.some((expression) => isKnown.test(expression))) return []
  const name = quoteName(`by_${column.replace(/\W/g, '_')}`)
  const table = tableOf(use)
  return [
    found('advice', `${use.database}.${use.table}.${column}`, `${count(times)} logged questions filter by it, and neither the key (${key.sorting_key}) nor an index knows it: they read ${percent(use.granulesRead / use.granules)} of the granules`, {
      figures: { questions: times, granulesReadShare: use.granulesRead / use.granules },
      fixes: [{ sql: `ALTER TABLE ${table} ADD INDEX ${name} ${quoteName(column)} TYPE ${type} GRANULARITY 1` }, { sql: `ALTER TABLE ${table} MATERIALIZE INDEX ${name}`, caution: 'reads the column of the whole table, in the background' }],
      advice: 'an index helps only where equal values lie together; smart-whale-clickhouse advise measures it first',
    }),
  ]
}
