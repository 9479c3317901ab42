import { ConfigurationError } from '@smart-whale/interfaces'
import { writeFile } from 'node:fs/promises'
import { createAnalyticsExporter } from '../../export/analytics-exporter.ts'
import type { ExportFormat } from '../../export/export-options.ts'
import { createLifecycleManager } from '../../lifecycle/lifecycle-manager.ts'
import { generateTypes } from '../../query-builder/generate-types.ts'
import { asJson, type Command, EXIT, textOf, textsOf } from '../command.ts'

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
    const { values, signal } = call
    const report = await createLifecycleManager(call.adapter).optimizeTable(call.positionals[0] ?? '', { partition: textOf(call, 'partition'), final: values.final === true, deduplicate: values.deduplicate === true, signal })
    call.print(call.json ? asJson(report) : `${report.table}: ${report.partsBefore} → ${report.partsAfter} parts, ${report.bytesBefore} → ${report.bytesAfter} bytes, ${report.rowsBefore} → ${report.rowsAfter} rows`)
    return EXIT.ok
  },
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

/** Writes an answer to a file. */
export const exportAnswer: Command = {
  name: 'export',
  summary: 'Writes the answer of a query to a file, with bounded memory',
  usage: 'QUERY FILE [--format csv|jsonl|parquet|arrow]',
  help: "  --format FORMAT    (the file's ending)",
  exits: { [EXIT.found]: 'the answer has no rows; nothing was written' },
  options: { format: { type: 'string' } },
  positionals: { least: 2, most: 2 },
  run: async (call) => {
    const [query = '', file = ''] = call.positionals
    const format = textOf(call, 'format') ?? file.split('.').at(-1) ?? ''
    if (!FORMATS.includes(format)) throw new ConfigurationError(`"${format}" is no format; there are ${FORMATS.join(', ')}`)
    const isWritten = await createAnalyticsExporter(call.adapter).exportTo(format as ExportFormat, query, {}, file, { signal: call.signal })
    if (call.json) call.print(asJson({ file, format, written: isWritten }))
    return isWritten ? EXIT.ok : EXIT.found
  },
}
