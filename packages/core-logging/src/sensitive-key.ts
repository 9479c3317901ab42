/** Parts of a field's name that make its value a secret, whatever stands around them. Passwords and the like may also be numbers. */
const PASSWORDS = 'passw(?:or)?d|passphrase|pass[-_ ]?code|pwd|secret|credential'
const TOKENS = 'token|authorization|cookie|jwt|jwk|bearer|session[-_ ]?id|(?:api|access|private|signing|encryption|master|account|shared)[-_ ]?key'

/** Names that are secrets only when nothing else stands around them. */
export const WHOLE_NAMES: readonly string[] = ['auth', 'pin', 'otp', 'totp', 'cvv', 'cvc', 'mfacode', 'recoverycodes']

/** Last words that say something *about* a secret: how many, how long, which kind, where it lies. */
const ABOUT = new Set(
  'count counts length size type kind name names url uri endpoint file path policy enabled required valid status expired expires expiry expiration at ttl age seconds ms bytes limit version algorithm'.split(' '),
)

/** Source of an expression that finds a sensitive name in a text. */
export const SENSITIVE_NAME = `${PASSWORDS}|${TOKENS}`

const HAS_PASSWORD = new RegExp(PASSWORDS, 'i')
const HAS_TOKEN = new RegExp(TOKENS, 'i')
const MAX_REMEMBERED = 2000

/** Whether the value of a field is hidden: `all` of it, only `text` (and what holds text), or nothing. */
export type Sensitivity = 'all' | 'text' | 'none'

/** Makes the function that judges a field by its name; it remembers its answers, since names repeat. */
export function createKeyJudge(redactKeys: readonly string[], keepKeys: readonly string[]): (key: string) => Sensitivity {
  const hidden = new Set([...WHOLE_NAMES, ...redactKeys.map(foldName)])
  const kept = new Set(keepKeys.map(foldName))
  const known = new Map<string, Sensitivity>()

  const judge = (key: string): Sensitivity => {
    const folded = foldName(key)
    if (kept.has(folded)) return 'none'
    if (hidden.has(folded)) return 'all'
    const isPassword = HAS_PASSWORD.test(key)
    if (!isPassword && !HAS_TOKEN.test(key)) return 'none'
    return ABOUT.has(lastWord(key)) ? 'none' : isPassword ? 'all' : 'text'
  }

  return (key) => {
    let sensitivity = known.get(key)
    if (sensitivity === undefined) {
      sensitivity = judge(key)
      if (known.size < MAX_REMEMBERED && key.length <= 100) known.set(key, sensitivity)
    }
    return sensitivity
  }
}

/** The name without what different spellings of it differ in. */
function foldName(key: string): string {
  return key.toLowerCase().replace(/[-_. ]/g, '')
}

/** Source of an expression that finds all spellings of a name which {@link foldName} takes for the same. */
export function spellingsOf(name: string): string {
  return [...foldName(name)].map((letter) => letter.replace(/[\\^$*+?()[\]{}|]/, String.raw`\$&`)).join('[-_. ]*')
}

function lastWord(key: string): string {
  return key.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/).findLast((word) => word !== '')?.toLowerCase() ?? ''
}
