import { batchDecoder } from '../pipeline/decode-batch.ts'
import type { EventRefusal } from '../pipeline/event-refusal.ts'
import type { PipelineDefinition } from '../pipeline/pipeline-definition.ts'
import type { RecordBatch } from '../transport.ts'
import type { HeaderOf } from '../pipeline/decode-record.ts'
import type { DeadLetter } from './read-dead-letters.ts'
import { textOf } from './text-of.ts'

/** What is asked whether a letter would be taken: an `EventDecoder` looks at its fields, {@link letterDecoder} at everything. */
export type LetterDecoder = (value: Uint8Array | null, header: HeaderOf, letter: DeadLetter) => { readonly refusal: EventRefusal | null }

/** Compiles what a pipeline does with an event, from version to route, for letters that may go back to it. */
export function letterDecoder(definition: PipelineDefinition): LetterDecoder {
  const decode = batchDecoder(definition)
  return (value, _header, letter) => ({ refusal: decode(new LetterBatch(letter, value))[0]?.refusal ?? null })
}

/** Asks a decoder about a letter, with the value that it would have. */
export function judgeLetter(decode: LetterDecoder, letter: DeadLetter, value: Uint8Array | null): EventRefusal | null {
  return decode(value, (name) => (Object.hasOwn(letter.headers, name) ? textOf(letter.headers[name]) : null), letter).refusal
}

/** One letter as the batch that a pipeline would read. */
class LetterBatch implements RecordBatch {
  readonly topic: string
  readonly partition: number
  readonly length = 1
  readonly bytes: number
  readonly #letter: DeadLetter
  readonly #value: Uint8Array | null

  constructor(letter: DeadLetter, value: Uint8Array | null) {
    this.topic = letter.origin?.topic ?? ''
    this.partition = letter.origin?.partition ?? 0
    this.bytes = value?.length ?? 0
    this.#letter = letter
    this.#value = value
  }

  get nextOffset(): bigint {
    return this.offsetAt() + 1n
  }

  offsetAt(): bigint {
    return this.#letter.origin?.offset ?? 0n
  }

  timestampAt(): number {
    return this.#letter.origin?.timestamp ?? this.#letter.timestamp
  }

  keyAt(): Uint8Array | null {
    return this.#letter.key
  }

  valueAt(): Uint8Array | null {
    return this.#value
  }

  headersAt(): Readonly<Record<string, Uint8Array>> {
    return this.#letter.headers
  }
}
