import { isJsonParameter, toJson, unwrapJson } from '../drivers/encode-parameter.ts'
import { type Codec, Unfit } from './codec.ts'

/** Escapes that JSON allows and jsonb can't store: a zero character, half of a surrogate pair. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i
/** The first byte of each jsonb. */
export const JSONB_VERSION = 1

/** json and jsonb. A value is written as the JSON value that it is: a string becomes a JSON string, not JSON text. */
export function jsonCodec(binary: boolean): Codec {
  return (value, writer) => {
    const text = toJson(isJsonParameter(value) ? unwrapJson(value) : value)
    if (typeof text !== 'string') return new Unfit(text.problem)
    if (binary && UNSTORABLE.test(text)) return new Unfit('holds a zero character or half of a surrogate pair, which jsonb can not store')
    if (binary) writer.int8(JSONB_VERSION)
    writer.utf8(text)
    return undefined
  }
}
