import type { FastifyBodyParser, FastifyInstance } from 'fastify'
import { RecentTexts } from '../recent-texts.ts'

/** What all that is remembered may take. Who may ask nothing can have it filled, too: the body is read before anybody is known. */
const MAX_BYTES = 8 * 1024 * 1024
/** A longer one is read anew each time: it would push many others out. */
const MAX_LENGTH = 16 * 1024

/**
 * JSON bodies that come again and again, as a page sends them: a text is read once, and whoever sends it again gets the same value. Nobody
 * can change that value, so that no caller finds in it anything but what its own text says. The oldest leave first.
 */
export class KnownBodies {
  readonly #byText = new RecentTexts<object>(MAX_BYTES)
  readonly #known = new WeakSet<object>()

  /** Reads the JSON of a plugin's routes. A parser that the host has put in place of Fastify's own stays. */
  readFor(fastify: FastifyInstance): void {
    const { onProtoPoisoning = 'error', onConstructorPoisoning = 'error' } = fastify.initialConfig
    const read = fastify.getDefaultJsonParser(onProtoPoisoning, onConstructorPoisoning)
    const readOnce: FastifyBodyParser<string> = (request, text, done) => {
      const known = this.#byText.get(text)
      if (known !== undefined) return done(null, known)
      return read(request, text, (error, body: unknown) => done(error, error === null ? this.#remember(text, body) : undefined))
    }
    try {
      fastify.addContentTypeParser<string>('application/json', { parseAs: 'string' }, readOnce)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'FST_ERR_CTP_ALREADY_PRESENT') throw error
    }
  }

  /** Whether the same value stands for every body of its text. */
  has(body: unknown): body is object {
    return typeof body === 'object' && body !== null && this.#known.has(body)
  }

  #remember(text: string, body: unknown): unknown {
    if (typeof body !== 'object' || body === null || text.length > MAX_LENGTH) return body
    freezeDeep(body)
    this.#known.add(body)
    this.#byText.add(text, body)
    return body
  }
}

/** Without recursion: a caller decides how deep it goes. What JSON makes has no circles. */
function freezeDeep(value: object): void {
  const waiting = [value]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    Object.freeze(next)
    for (const member of Object.values(next)) if (typeof member === 'object' && member !== null) waiting.push(member as object)
  }
}
