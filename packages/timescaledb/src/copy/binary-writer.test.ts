import { describe, expect, it } from 'vitest'
import { BinaryWriter } from './binary-writer.ts'

describe('BinaryWriter', () => {
  it('gives fields their lengths, nested ones and those that go over many chunks of memory', () => {
    const writer = new BinaryWriter()
    const long = 'é'.repeat(200_000)
    writer.openField()
    for (const text of ['first', long, '', long, 'last']) {
      writer.openField()
      writer.utf8(text)
      writer.closeField()
    }
    writer.closeField()
    writer.int16(-1)

    const bytes = Buffer.concat(writer.chunks())
    const texts: string[] = []
    for (let at = 4; at < bytes.length - 2; at += 4 + bytes.readInt32BE(at)) texts.push(bytes.toString('utf8', at + 4, at + 4 + bytes.readInt32BE(at)))

    expect(bytes.readInt32BE(0)).toBe(bytes.length - 4 - 2)
    expect(texts).toEqual(['first', long, '', long, 'last'])
    expect(bytes.readInt16BE(bytes.length - 2)).toBe(-1)
  })
})
