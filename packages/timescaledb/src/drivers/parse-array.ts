import type { Decoder } from './decode-value.ts'

/** Reads PostgreSQL's text of an array: `{1,NULL,"a \"b\""}`, nested ones too. Bounds (`[0:1]={…}`) are dropped. */
export function parseArray(text: string, decode: Decoder): unknown[] {
  return new ArrayReader(text, decode).read()
}

class ArrayReader {
  readonly #text: string
  readonly #decode: Decoder
  #at: number

  constructor(text: string, decode: Decoder) {
    this.#text = text
    this.#decode = decode
    this.#at = text.startsWith('[') ? text.indexOf('=') + 1 : 0
  }

  /** Reads from the opening brace to past the closing one. */
  read(): unknown[] {
    const items: unknown[] = []
    this.#at += 1
    while (this.#text[this.#at] !== '}' && this.#at < this.#text.length) {
      items.push(this.#item())
      if (this.#text[this.#at] === ',') this.#at += 1
    }
    this.#at += 1
    return items
  }

  #item(): unknown {
    const first = this.#text[this.#at]
    if (first === '{') return this.read()
    if (first === '"') return this.#decode(this.#quoted())
    const word = this.#word()
    return word === 'NULL' ? null : this.#decode(word)
  }

  #quoted(): string {
    let value = ''
    for (this.#at += 1; this.#text[this.#at] !== '"'; this.#at += 1) {
      if (this.#text[this.#at] === '\\') this.#at += 1
      value += this.#text[this.#at] ?? ''
      if (this.#at >= this.#text.length) break
    }
    this.#at += 1
    return value
  }

  #word(): string {
    const start = this.#at
    while (this.#at < this.#text.length && this.#text[this.#at] !== ',' && this.#text[this.#at] !== '}') this.#at += 1
    return this.#text.slice(start, this.#at)
  }
}
