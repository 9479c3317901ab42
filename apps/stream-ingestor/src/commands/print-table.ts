/** Rows as aligned columns under their heads; columns of numbers to the right. */
export function tableText(head: readonly string[], rows: readonly (readonly (string | number | bigint | null)[])[]): string {
  const texts = [head, ...rows.map((row) => row.map((cell) => (cell === null ? '–' : String(cell))))]
  const widths = head.map((_, column) => Math.max(...texts.map((row) => (row[column] ?? '').length)))
  const isNumber = head.map((_, column) => rows.some((row) => row[column] !== null) && rows.every((row) => typeof row[column] !== 'string'))
  return texts.map((row) => row.map((text, column) => (isNumber[column] === true ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0))).join('  ').trimEnd()).join('\n')
}
