import { ConfigurationError, type Row } from '@smart-whale/interfaces'
import { writeFile } from 'node:fs/promises'
import { splitTableName } from '../../adapter/table-columns.ts'
import { createAnalyticsExporter } from '../../export/analytics-exporter.ts'
import type { ExportFormat } from '../../export/export-options.ts'
import { size } from '../../doctor/rule.ts'
import { createLifecycleManager } from '../../lifecycle/lifecycle-manager.ts'
import { generateTypes } from '../../query-builder/generate-types.ts'
import { asJson, type Command, type CommandCall, EXIT, textOf, textsOf } from '../command.ts'
import { PARAM_HELP, PARAM_OPTION, queryParameters } from '../query-parameters.ts'

/** Merges parts. */
export const optimize: Command = {
  name: 'optimize',
  summary: 'Merges the parts of a table now',
  usage: 'TABLE [--partition P] [--final] [--deduplicate]',
  help: `  --partition P      this one alone
  --final            into one part a partition, also where there is one already: writes the table anew
  --deduplicate      removes rows that are equal in every column`,
  exits: {},
  options: { partition: { type: 'string' }, final: { type: 'boolean' }, deduplicate: { type: 'boolean' } },
  positionals: { least: 1, most: 1 },
  run: async (call) => {
    const { values, signal, timeoutMs } = call
    const [table = ''] = call.positionals
    const stop = followMerges(call, table)
    const report = await createLifecycleManager(call.adapter, { timeoutMs }).optimizeTable(table, { partition: textOf(call, 'partition'), final: values.final === true, deduplicate: values.deduplicate === true, signal }).finally(stop)
    call.print(call.json ? asJson(report) : `${report.table}: ${report.partsBefore} → ${report.partsAfter} parts, ${report.bytesBefore} → ${report.bytesAfter} bytes, ${report.rowsBefore} → ${report.rowsAfter} rows`)
    return EXIT.ok
  },
}

const LOOK_MS = 1000

/** Tells how far the merges of a table are, until it is stopped. A look that fails tells nothing: the merge itself says what is wrong. */
function followMerges(call: CommandCall, name: string): () => void {
  const [database, table] = splitTableName(name, call.adapter.database)
  call.progress(`… merging ${name}`)
  const look = setInterval(() => {
    void call.adapter
      .execute<Row & { partition_id: string; num_parts: bigint; done: number }>('SELECT partition_id, num_parts, round(100 * progress) AS done FROM system.merges WHERE database = {database:String} AND table = {table:String} ORDER BY partition_id', { database, table }, { signal: call.signal })
      .then(({ rows }) => rows.forEach((merge) => call.progress(`… partition ${merge.partition_id}: ${merge.done} % of ${merge.num_parts} parts`)), () => {})
  }, LOOK_MS)
  return () => clearInterval(look)
}

/** Writes types. */
export const types: Command = {
  name: 'types',
  summary: 'Writes a TypeScript module with the types of the tables, for the query builder',
  usage: '[--out FILE] [--only TABLE]…',
  help: `  --out FILE         writes it there (standard output)
  --only TABLE       this one alone; may be given again`,
  exits: {},
  options: { out: { type: 'string' }, only: { type: 'string', multiple: true } },
  positionals: { least: 0, most: 0 },
  run: async (call) => {
    const text = await generateTypes(call.adapter, { tables: textsOf(call, 'only'), signal: call.signal })
    const file = textOf(call, 'out')
    if (file === undefined) call.print(call.json ? asJson({ text }) : text.trimEnd())
    else {
      await writeFile(file, text)
      if (call.json) call.print(asJson({ file }))
    }
    return EXIT.ok
  },
}

const FORMATS: readonly string[] = ['csv', 'jsonl', 'parquet', 'arrow'] satisfies ExportFormat[]

const TOLD_BYTES = 64 * 1024 * 1024

/** A line each 64 MiB. */
function progressOf(call: CommandCall): (bytes: number) => void {
  let told = 0
  return (bytes) => {
    if (bytes - told < TOLD_BYTES) return
    told = bytes
    call.progress(`… ${size(bytes)} written`)
  }
}

/** Writes an answer to a file. */
export const exportAnswer: Command = {
  name: 'export',
  summary: 'Writes the answer of a query to a file, with bounded memory',
  usage: 'QUERY FILE [--format csv|jsonl|parquet|arrow] [--param NAME=VALUE]…',
  help: `  --format FORMAT    (the file's ending)\n${PARAM_HELP}`,
  exits: { [EXIT.found]: 'the answer has no rows; nothing was written' },
  options: { format: { type: 'string' }, ...PARAM_OPTION },
  positionals: { least: 2, most: 2 },
  run: async (call) => {
    const [query = '', file = ''] = call.positionals
    const format = textOf(call, 'format') ?? file.split('.').at(-1) ?? ''
    if (!FORMATS.includes(format)) throw new ConfigurationError(`"${format}" is no format; there are ${FORMATS.join(', ')}`)
    const isWritten = await createAnalyticsExporter(call.adapter, { timeoutMs: call.timeoutMs }).exportTo(format as ExportFormat, query, queryParameters(call, query), file, { signal: call.signal, onProgress: progressOf(call) })
    if (call.json) call.print(asJson({ file, format, written: isWritten }))
    return isWritten ? EXIT.ok : EXIT.found
  },
}
