import { type CheckResult, warning, wrong } from './check-result.ts'

/** Tells where a table's columns are not those that its pipeline declares. */
export function compareColumns(
  about: string,
  wanted: Readonly<Record<string, string>>,
  declared: Readonly<Record<string, string>>,
  there: readonly { readonly name: string; readonly type: string }[],
  plainType: (type: string) => string,
): CheckResult[] {
  if (there.length === 0) return [warning(about, 'is not there, or this user may not see it; the start makes it')]
  const types = new Map(there.map(({ name, type }) => [name, type]))
  return Object.entries(wanted).flatMap(([name, type]): CheckResult[] => {
    const found = types.get(name)
    if (found !== undefined) return plainType(found) === plainType(type) ? [] : [wrong(about, `column ${name} is ${found}, declared is ${type}; change the declaration or the column, or name another table`)]
    if (!Object.hasOwn(declared, name)) return [wrong(about, `lacks the column ${name} (${type}), by which rows are single: it was not made for a pipeline; name another table`)]
    return declared[name]?.endsWith('?') === true
      ? [warning(about, `lacks the column ${name}; the start adds it`)]
      : [wrong(about, `lacks the column ${name} (${type}), and rows that are there have no value for it; declare it with "?", or name another table`)]
  })
}
