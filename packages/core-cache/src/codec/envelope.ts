import { decodeValue } from './decode-value.ts'

/** What a payload begins with: who wrote it, and in which form. Another form is a miss, so that versions can be rolled out side by side. */
const FORM = 'SWC1'
/** Characters of the token that a payload is stored under, after the form: scripts compare it without reading the rest. */
export const TOKEN_LENGTH = 22
/** Where a payload's token begins, counted as Redis counts. */
export const TOKEN_START = FORM.length

/** What a shared layer keeps besides the value. */
export interface EnvelopeFacts {
  /** The load that it comes from. */
  readonly token: string
  /** The run of the coordination that it was stored under, and the newest invalidation that its node had followed when the load began. */
  readonly run: string
  readonly followed: number
  /** When the load was done, in milliseconds since the epoch. */
  readonly loadedAtMs: number
  /** How long it is fresh, and how long after that it may serve when nothing better is to be had. */
  readonly freshMs: number
  readonly staleMs: number
  /** What the load took: dear values are kept where they survive. */
  readonly loadMs: number
  readonly tags: readonly string[]
  /** Whether the loader found nothing. */
  readonly isNothing: boolean
}

/** A payload that was read. */
export interface Envelope extends EnvelopeFacts {
  /** The value in its text form, see `encodeValue`. */
  readonly body: string
}

/** One text: form, token, length, facts, value. */
export function sealEnvelope(facts: EnvelopeFacts, body: string): string {
  const { token, run, followed, loadedAtMs, freshMs, staleMs, loadMs, tags, isNothing } = facts
  const head = JSON.stringify([run, followed, loadedAtMs, freshMs, staleMs, loadMs, isNothing ? 1 : 0, tags])
  return `${FORM}${token}|${body.length.toString(36)}|${head}\n${body}`
}

/** `undefined` for what isn't one, or not a whole one. Never throws. */
export function openEnvelope(payload: string): Envelope | undefined {
  if (!payload.startsWith(FORM)) return undefined
  const lengthAt = TOKEN_START + TOKEN_LENGTH + 1
  const headAt = payload.indexOf('|', lengthAt) + 1
  const bodyAt = payload.indexOf('\n', headAt) + 1
  if (payload[lengthAt - 1] !== '|' || headAt === 0 || bodyAt === 0) return undefined
  if (payload.length - bodyAt !== Number.parseInt(payload.slice(lengthAt, headAt - 1), 36)) return undefined
  const facts = factsOf(payload.slice(headAt, bodyAt - 1))
  return facts && { ...facts, token: payload.slice(TOKEN_START, TOKEN_START + TOKEN_LENGTH), body: payload.slice(bodyAt) }
}

function factsOf(head: string): Omit<EnvelopeFacts, 'token'> | undefined {
  const read = decodeValue(head)?.value
  if (!Array.isArray(read) || read.length !== 8) return undefined
  const [run, followed, loadedAtMs, freshMs, staleMs, loadMs, isNothing, tags] = read as unknown[]
  const numbers = [followed, loadedAtMs, freshMs, staleMs, loadMs]
  if (typeof run !== 'string' || !numbers.every((number) => typeof number === 'number' && number >= 0)) return undefined
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) return undefined
  const [newest, at, fresh, stale, load] = numbers as [number, number, number, number, number]
  return { run, followed: newest, loadedAtMs: at, freshMs: fresh, staleMs: stale, loadMs: load, isNothing: isNothing === 1, tags: tags as string[] }
}
