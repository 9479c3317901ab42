import { SENSITIVE_NAME, type Sensitivity } from './sensitive-key.ts'

/** What stands in place of a secret. */
export const CENSOR = '[redacted]'

/**
 * Every rule is linear in the text's length, or bounded in how far it looks: what is logged may come from an attacker.
 * Where a secret's end is ambiguous a rule takes more rather than less.
 */
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g
/** Everything from `://` to the next blank or quote; an address, or several of them. */
const ADDRESSES = /:\/\/[^\s"'<>]+/g
/** `://user:` and what follows is not a port. */
const BEFORE_PASSWORD = /:\/\/[^:/?#]{0,256}:(?!\d{1,5}(?:[/?#,;)\]}]|$))/
const BEARER = /\b(bearer\s{1,4})[\w\-.~+/]{8,}=*/gi
const BASIC = /\b(basic\s{1,4})([\w\-+/]{8,}={0,2})/gi
/** Dotted words; one of them with `{"` in base64url makes it a JWT. */
const DOTTED_WORDS = /(?<![\w.-])[\w-]+(?:\.[\w-]*)+/g
const JWT_START = /eyJ[\w-]{8,}\./
const HEADER_LINE = /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(\s{0,3}:\s{0,3})[^\s"'][^\r\n"]{3,}/gi
const SQL_PASSWORD =
  /\b(password|identified\s{1,4}(?:with\s{1,4}\w{1,40}\s{1,4})?by)(\s{1,4})(?:'(?:[^'\\]|''|\\[\s\S])*'?|"(?:[^"\\]|\\[\s\S])*"?)/gi
/** `password=…`, `"password": "…"`, `password: '…'`, also inside JSON that is itself a text in JSON. */
const QUOTED = String.raw`\\+"[^"]*"?|"(?:[^"\\]|\\[\s\S])*"?|'(?:[^'\\]|\\[\s\S])*'?`
const NAMED_VALUE = new RegExp(
  String.raw`((?:${SENSITIVE_NAME})[\w-]{0,32})(\\*["']?\s{0,2})(?:(=\s{0,2})(?:${QUOTED}|[^\s&;"']+)|(:\s{0,2})(?:${QUOTED}))`,
  'gi',
)

/** Source of an expression that matches every text that one of the rules could change, also when JSON has escaped it. */
export const SUSPICIOUS_TEXT = String.raw`${SENSITIVE_NAME}|:\/\/|basic|eyJ|identified`

/** Makes the function that hides secrets inside a text: keys, tokens, passwords in addresses and in SQL, named values. */
export function createTextRedactor(judge: (key: string) => Sensitivity, patterns: readonly RegExp[]): (text: string) => string {
  // A pattern without `g` would hide only the first of several secrets.
  const further = patterns.map((pattern) => new RegExp(pattern.source, pattern.flags.includes('g') ? pattern.flags : `${pattern.flags}g`))
  const suspicious = new RegExp(SUSPICIOUS_TEXT, 'i')

  return (text) => {
    const known = suspicious.test(text) ? redactKnown(text, judge) : text
    return further.reduce((result, pattern) => result.replace(pattern, CENSOR), known)
  }
}

function redactKnown(text: string, judge: (key: string) => Sensitivity): string {
  return text
    .replace(PRIVATE_KEY, CENSOR)
    .replace(ADDRESSES, redactPassword)
    .replace(HEADER_LINE, `$1$2${CENSOR}`)
    .replace(BEARER, `$1${CENSOR}`)
    .replace(BASIC, (all, scheme: string, value: string) => (/[A-Z\d=+/]/.test(value.slice(1)) ? scheme + CENSOR : all))
    .replace(DOTTED_WORDS, (words) => words.replace(/eyJ.*/, (token) => (JWT_START.test(token) ? CENSOR : token)))
    .replace(SQL_PASSWORD, `$1$2'${CENSOR}'`)
    .replace(NAMED_VALUE, (all, name: string, quote: string, equals: string | undefined, colon: string | undefined) =>
      judge(name) === 'none' ? all : `${name}${quote}${equals ?? colon}${CENSOR}`,
    )
}

/** Up to the last `@`, since careless passwords hold `@` and `/` themselves. */
function redactPassword(addresses: string): string {
  const end = addresses.lastIndexOf('@')
  const before = end === -1 ? null : BEFORE_PASSWORD.exec(addresses.slice(0, end + 1))
  return before === null ? addresses : addresses.slice(0, before.index + before[0].length) + CENSOR + addresses.slice(end)
}
