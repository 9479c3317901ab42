import type { RedactionOptions } from './options.ts'
import { CENSOR, createTextRedactor, SUSPICIOUS_TEXT } from './redact-text.ts'
import { createKeyJudge, type Sensitivity, spellingsOf, WHOLE_NAMES } from './sensitive-key.ts'

const HIDDEN = JSON.stringify(CENSOR)
const NAME = /^[\w-]{1,40}$/
/** What precedes the bytes of a Buffer in JSON. */
const BYTES = '"type":"Buffer",'

/**
 * Makes the function that hides secrets in a finished line of JSON.
 *
 * Working on the line, not on what was logged, has three gains: nothing can get past it, wherever it came from (fields, bindings of a
 * child, a serializer, a message); the caller's objects are never touched; and most lines cost one search, since they hold nothing
 * that looks like a secret. A line that does is walked once from left to right, whatever its nesting, and keeps all else byte for byte.
 */
export function createLineRedactor(options: RedactionOptions = {}): (line: string) => string {
  const { redactKeys = [], redactPatterns = [], maxTextLength = 16_384 } = options
  const { keepKeys = ['deduplicationToken', 'insertDeduplicationToken', 'idempotencyToken'] } = options
  const judge = createKeyJudge(redactKeys, keepKeys)
  const redactText = createTextRedactor(judge, redactPatterns)
  const isSuspicious = createSuspicion(redactKeys, redactPatterns)
  // A secret that straddles the cut must still be recognised, so the cut comes after and looks a little further.
  const shorten = (text: string): string =>
    text.length > maxTextLength ? `${redactText(text.slice(0, maxTextLength + 4096)).slice(0, maxTextLength)}… (${text.length} characters)` : redactText(text)

  return (line) => (line.length > maxTextLength || isSuspicious(line) ? walkLine(line, judge, shorten) : line)
}

/** A quick look that may err in one direction only: it must not miss a line that the walk would change. */
function createSuspicion(redactKeys: readonly string[], redactPatterns: readonly RegExp[]): (line: string) => boolean {
  // What JSON escapes is spelled differently in the line: then every line is walked.
  if (redactPatterns.length > 0 || redactKeys.some((key) => JSON.stringify(key) !== `"${key}"`)) return () => true
  const names = [...WHOLE_NAMES, ...redactKeys].map(spellingsOf)
  const expression = new RegExp([SUSPICIOUS_TEXT, BYTES, ...names].join('|'), 'i')
  return (line) => expression.test(line)
}

function walkLine(line: string, judge: (key: string) => Sensitivity, redactText: (text: string) => string): string {
  let output = ''
  let copied = 0
  const replace = (from: number, to: number, replacement: string): void => {
    output += line.slice(copied, from) + replacement
    copied = to
  }

  let start = line.indexOf('"')
  while (start !== -1) {
    const end = endOfString(line, start)
    const text = readString(line, start, end)
    const redacted = redactText(text)
    if (redacted !== text) replace(start, end, JSON.stringify(redacted))
    const secret = findSecret(line, start, end, text, judge)
    if (secret !== null) replace(secret.from, secret.to, HIDDEN)
    start = line.indexOf('"', secret?.to ?? end)
  }
  return output + line.slice(copied)
}

/** The value that a string makes secret, by being its key, or the name before it in a list of names and values (raw HTTP headers). */
function findSecret(line: string, start: number, end: number, text: string, judge: (key: string) => Sensitivity): { from: number; to: number } | null {
  if (line[end] === ':') {
    const isBytes = text === 'data' && line.startsWith(BYTES, start - BYTES.length)
    const sensitivity = isBytes ? 'text' : judge(text)
    return sensitivity === 'none' || isHarmless(line, end + 1, sensitivity) ? null : { from: end + 1, to: endOfValue(line, end + 1) }
  }
  if (!line.startsWith(',"', end) || !NAME.test(text) || judge(text) === 'none') return null
  const to = endOfString(line, end + 1)
  return line[to] === ':' ? null : { from: end + 1, to }
}

/** `null`, booleans and empty text hide nothing, and a number is no token (but may be a password). */
function isHarmless(line: string, from: number, sensitivity: Sensitivity): boolean {
  const first = line[from] ?? ''
  return 'ntf'.includes(first) || line.startsWith('""', from) || (sensitivity === 'text' && /[-\d]/.test(first))
}

function endOfValue(line: string, from: number): number {
  const first = line[from]
  if (first === '"') return endOfString(line, from)
  const isNested = first === '{' || first === '['
  const marks = isNested ? /["{}[\]]/g : /[,}\]]/g
  marks.lastIndex = from
  if (!isNested) return marks.exec(line)?.index ?? line.length
  let depth = 0
  for (let mark = marks.exec(line); mark !== null; mark = marks.exec(line)) {
    if (mark[0] === '"') marks.lastIndex = endOfString(line, mark.index)
    else depth += mark[0] === '{' || mark[0] === '[' ? 1 : -1
    if (depth === 0) return mark.index + 1
  }
  return line.length
}

/** Position after the closing quote of the string that opens at `start`. */
function endOfString(line: string, start: number): number {
  for (let quote = line.indexOf('"', start + 1); quote !== -1; quote = line.indexOf('"', quote + 1)) {
    let slashes = 0
    while (line[quote - 1 - slashes] === '\\') slashes += 1
    if (slashes % 2 === 0) return quote + 1
  }
  return line.length
}

function readString(line: string, start: number, end: number): string {
  const content = line.slice(start + 1, end - 1)
  return content.includes('\\') ? (JSON.parse(line.slice(start, end)) as string) : content
}
