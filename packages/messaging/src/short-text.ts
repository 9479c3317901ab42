/** Up to this length a loop over the characters is quicker than a call out of the JavaScript engine. */
const MOST_CHARACTERS = 64
const FIRST_BEYOND_ASCII = 0x80

/** How many bytes a text has in UTF-8. Quick for short ones: records have a dozen of them, as names and values of their headers. */
export function textBytes(text: string): number {
  const { length } = text
  if (length > MOST_CHARACTERS) return Buffer.byteLength(text)
  for (let index = 0; index < length; index++) if (text.charCodeAt(index) >= FIRST_BEYOND_ASCII) return Buffer.byteLength(text)
  return length
}

/** Writes a text in UTF-8. @param bytes that it has, as {@link textBytes} says */
export function writeText(target: Buffer, at: number, text: string, bytes: number): void {
  if (bytes !== text.length || bytes > MOST_CHARACTERS) {
    target.write(text, at, bytes, 'utf8')
    return
  }
  // As many bytes as characters: each of them is ASCII.
  for (let index = 0; index < bytes; index++) target[at + index] = text.charCodeAt(index)
}
