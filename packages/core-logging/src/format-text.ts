const COLORS: Readonly<Record<string, number>> = { trace: 90, debug: 36, info: 32, warn: 33, error: 31, fatal: 35 }
const DIM = 2
/** Said elsewhere in the line, or of no use to a person at a terminal. */
const SHOWN_APART = new Set(['level', 'time', 'service', 'pid', 'msg', 'err'])

/**
 * A line of JSON as text for a person: time of day, level, service, sentence, fields, and the stack of an error below it.
 * Control characters are shown escaped, so that what is logged can't move the terminal's cursor or forge a line.
 */
export function formatText(line: string, color: boolean): string {
  const fields = JSON.parse(line, keepExactNumbers) as Record<string, unknown>
  const paint = (code: number | undefined, text: string): string => (color && code !== undefined ? `\u001B[${code}m${text}\u001B[0m` : text)
  const level = String(fields['level'])
  const rest = Object.entries(fields)
    .filter(([key]) => !SHOWN_APART.has(key))
    .map(([key, value]) => `${paint(DIM, `${escapeControls(key)}=`)}${showValue(value)}`)
  const head = [
    paint(DIM, String(fields['time']).slice(11, 23)),
    paint(COLORS[level], level.toUpperCase().padEnd(5)),
    ...(fields['service'] === undefined ? [] : [paint(DIM, `${escapeControls(String(fields['service']))}:`)]),
    ...(fields['msg'] === undefined ? [] : [escapeControls(String(fields['msg']))]),
  ]
  return `${[...head, ...rest].join(' ')}\n${showError(fields['err'], '    ')}`
}

/** Integers beyond 2^53 stay what they are. The third argument is there since Node 22; the types don't know it yet. */
function keepExactNumbers(this: unknown, _key: string, value: unknown, ...[context]: { source?: string }[]): unknown {
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) ? (context?.source ?? value) : value
}

function showValue(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=\p{Cc}]+$/u.test(value)) return value
  return escapeControls(JSON.stringify(value) ?? '')
}

function showError(error: unknown, indent: string): string {
  if (typeof error !== 'object' || error === null) return error === undefined ? '' : `${indent}${showValue(error)}\n`
  const { type, message, stack, cause, ...fields } = error as Record<string, unknown>
  const lines = String(stack ?? `${String(type)}: ${String(message)}`).split('\n')
  const rest = Object.keys(fields).length === 0 ? [] : [showValue(fields)]
  const own = [...lines, ...rest].map((each) => `${indent}${escapeControls(each)}\n`).join('')
  return cause === undefined ? own : `${own}${indent}caused by\n${showError(cause, `${indent}  `)}`
}

function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
