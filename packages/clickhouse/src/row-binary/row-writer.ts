import type { Row } from '@smart-whale/interfaces'
import type { ByteWriter } from './byte-writer.ts'
import type { CellRefusal } from './cell-refusal.ts'
import type { CellEncoder } from './encode-number.ts'

/** A column as its cells are written. */
export interface WrittenColumn {
  readonly name: string
  readonly type: string
  readonly encode: CellEncoder
}

/** The first cell of a row that doesn't fit. */
export interface RefusedCell {
  readonly column: WrittenColumn
  readonly refusal: CellRefusal
}

/** Writes the cells of a row in the order of the columns, up to the first that doesn't fit. Is told of a row that comes soon. */
export type RowWriter = (writer: ByteWriter, row: Row, soon: Row) => RefusedCell | undefined

/** A longer function is one that the engine doesn't optimize any more: from a thousand columns on, the loop is faster. */
const MAX_GENERATED_COLUMNS = 500

/**
 * The writer of rows of these columns: generated, or looping for very many columns and where the process may not generate code
 * (`--disallow-code-generation-from-strings`).
 */
export function rowWriter(columns: readonly WrittenColumn[]): RowWriter {
  if (columns.length > MAX_GENERATED_COLUMNS) return loopingRowWriter(columns)
  try {
    return generatedRowWriter(columns)
  } catch (error) {
    if (error instanceof EvalError) return loopingRowWriter(columns)
    throw error
  }
}

/**
 * A function with a line for each column.
 *
 * In a loop over the columns each look-up meets every name, and each call every encoder, so that the engine can prepare for none of them;
 * here each line meets one name and one encoder, which takes a third off the time of a batch.
 *
 * A batch is larger than the processor's cache, and its texts lie where they happened to be made: to fetch them is up to half of the work.
 * So room is made for the texts of a row that comes soon. To ask for their lengths lets the processor fetch them all at once, while it
 * writes this row, in place of one after the other.
 */
function generatedRowWriter(columns: readonly WrittenColumn[]): RowWriter {
  const encoders = columns.map((_, index) => `encode${index}`)
  // Names are the only thing that comes from elsewhere, and stand in the text as JSON: no name can be anything but a name.
  const lines = columns.map(({ name }, index) => `if ((refusal = encode${index}(writer, row[${JSON.stringify(name)}])) !== undefined) return refused(${index}, refusal)`)
  const lengths = columns.map(({ name }) => `lengthOf(soon[${JSON.stringify(name)}])`)
  const source = `const [${encoders.join(', ')}] = encoders
return (writer, row, soon) => {
let refusal
writer.reserve(${['0', ...lengths].join(' + ')})
${lines.join('\n')}
}`
  const make = new Function('encoders', 'lengthOf', 'refused', source) as (encoders: readonly CellEncoder[], length: typeof lengthOf, refused: (index: number, refusal: CellRefusal) => RefusedCell) => RowWriter
  return make(
    columns.map(({ encode }) => encode),
    lengthOf,
    (index, refusal) => ({ column: columns[index] as WrittenColumn, refusal }),
  )
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' ? value.length : 0
}

function loopingRowWriter(columns: readonly WrittenColumn[]): RowWriter {
  return (writer, row) => {
    for (const column of columns) {
      const refusal = column.encode(writer, row[column.name])
      if (refusal !== undefined) return { column, refusal }
    }
    return undefined
  }
}
