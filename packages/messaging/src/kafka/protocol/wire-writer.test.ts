import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

const reader = (writer: WireWriter): WireReader => new WireReader(writer.written(), 'a test')

describe('what is written', () => {
  it('is read as it was', () => {
    const values = fc.record({
      small: fc.integer({ min: -128, max: 127 }),
      short: fc.integer({ min: -32_768, max: 32_767 }),
      whole: fc.integer(),
      long: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      varint: fc.nat(2 ** 32 - 1),
      text: fc.string({ unit: 'binary' }),
      nullable: fc.option(fc.string()),
      bytes: fc.oneof(fc.uint8Array({ maxLength: 2_000 }), fc.nat(40_000).map((length) => new Uint8Array(length).fill(length))),
      list: fc.array(fc.integer()),
      id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
    })

    fc.assert(
      fc.property(values, ({ small, short, whole, long, varint, text, nullable, bytes, list, id }) => {
        const writer = new WireWriter(1).int8(small).int16(short).int32(whole).int64(long).unsignedVarint(varint).string(text).nullableString(nullable)
        writer.compactString(text).bytes(bytes).array(list, (value) => writer.int32(value)).compactArray(list, (value) => writer.int32(value)).compactNull()
        writer.uuid(id).boolean(true).tags()

        const read = reader(writer)

        const written = Buffer.from(text).toString()
        expect([read.int8(), read.int16(), read.int32(), read.int64(), read.unsignedVarint(), read.string()]).toEqual([small, short, whole, long, varint, written])
        expect([read.nullableString(), read.compactString(), Buffer.from(read.bytes())]).toEqual([nullable, written, Buffer.from(bytes)])
        expect([read.array(() => read.int32()), read.compactArray(() => read.int32()), read.compactArray(() => 1)]).toEqual([list, list, []])
        expect([read.uuid(), read.boolean()]).toEqual([id, true])
        read.tags()
        read.end()
      }),
    )
  })

  it('has large bytes as they were given, not a copy', () => {
    const large = new Uint8Array(100_000)

    const pieces = new WireWriter().int8(1).bytes(large).int8(2).pieces()

    expect(pieces.map((piece) => piece.length)).toEqual([5, 100_000, 1])
    expect(pieces[1]).toBe(large)
  })

  it('has no text that its length has no room for', () => {
    expect(() => new WireWriter().string('x'.repeat(32_768))).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_INVALID_ARGUMENT' }) as Error)
  })
})

describe('tagged fields', () => {
  it('of newer brokers are passed over', () => {
    const tagged = Buffer.from([2, 0, 3, 1, 2, 3, 5, 0, 42])

    const read = new WireReader(tagged, 'a test')
    read.tags()

    expect(read.int8()).toBe(42)
  })
})
