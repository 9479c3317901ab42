import { quoteText } from '../../migrations/topology.ts'
import { count, found, rowRule } from '../rule.ts'

interface MutationRow {
  database: string
  table: string
  mutation_id: string
  command: string
  age: number
  parts_to_do: number
  latest_fail_reason: string
}

/** Mutations that fail again and again, or take for ever; each holds up those behind it. */
export const stuckMutations = rowRule<MutationRow & Record<string, unknown>>({
  name: 'stuck-mutations',
  summary: 'mutations (ALTER … UPDATE, DELETE, MODIFY) that fail again and again, or do not end',
  read: ({ ask, inScope, thresholds }) =>
    ask(
      `SELECT database, table, mutation_id, command, toUnixTimestamp(now()) - toUnixTimestamp(create_time) AS age, parts_to_do, latest_fail_reason
      FROM system.mutations WHERE NOT is_done AND NOT is_killed AND ${inScope('database')} AND (latest_fail_reason != '' OR age >= {old:UInt64}) ORDER BY create_time LIMIT 100`,
      { old: thresholds.mutationAgeSeconds },
    ),
  judge: (rows) =>
    rows.map((row) => {
      const fails = row.latest_fail_reason !== ''
      const why = fails ? `fails: ${row.latest_fail_reason.slice(0, 200)}` : `is not done after ${count(row.age)} s`
      return found(fails ? 'critical' : 'warning', `${row.database}.${row.table}`, `"${row.command.slice(0, 120)}" ${why}; ${count(row.parts_to_do)} parts are left, and mutations behind it wait`, {
        figures: { ageSeconds: Number(row.age), partsToDo: Number(row.parts_to_do) },
        fixes: [
          {
            sql: `KILL MUTATION WHERE database = ${quoteText(row.database)} AND table = ${quoteText(row.table)} AND mutation_id = ${quoteText(row.mutation_id)}`,
            caution: 'parts that it changed already stay changed',
          },
        ],
      })
    }),
})
