import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ByteWriter } from './byte-writer.ts'
import { compileRowEncoder, type RowEncoder } from './row-encoder.ts'

const UUID = '0189f7ea-ae2f-7f4a-9d1c-3b5e7a9c1d2e'

function encoder(columns: Readonly<Record<string, string>>): RowEncoder {
  return compileRowEncoder('events', Object.entries(columns).map(([name, type]) => ({ name, type }))) as RowEncoder
}

function varint(value: number): Buffer {
  return value < 128 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 0x7f) | 0x80]), varint(value >>> 7)])
}

/** What follows the header. */
function cells(columns: Readonly<Record<string, string>>, row: Readonly<Record<string, unknown>>, writer = new ByteWriter()): string {
  const header = encoder(columns).encode([]).length
  return Buffer.from(encoder(columns).encode([row], writer)).subarray(header).toString('hex')
}

describe('rows', () => {
  it('have the cells of their own columns, however those are called', () => {
    const names = ['a"b', 'back\\slash', 'line\nbreak', 'writer', 'refusal', '${1}', '`', "'", '\u2028', ']=1;row[', 'prototype', 'constructor']
    const columns = Object.fromEntries(names.map((name) => [name, 'UInt8']))
    const row = Object.fromEntries(names.map((name, index) => [name, index + 1]))

    expect(cells(columns, row)).toBe(Buffer.from(Object.values(row)).toString('hex'))
  })

  it.each([1, 500, 501])('have %i cells in the order of the columns', (count) => {
    const names = Array.from({ length: count }, (_, index) => `column_${index}`)
    const row = Object.fromEntries(names.map((name, index) => [name, index % 251]))

    expect(cells(Object.fromEntries(names.map((name) => [name, 'UInt8'])), row)).toBe(Buffer.from(Object.values(row)).toString('hex'))
    expect(() => cells(Object.fromEntries(names.map((name) => [name, 'UInt8'])), { ...row, [`column_${count - 1}`]: 'a' })).toThrow(`column "column_${count - 1}"`)
  })

  it('are as many as there are, with texts of any length between short ones', () => {
    const rows = ['a', 'b'.repeat(100_000), '', 'c', 'd'.repeat(300_000)].map((text) => ({ text }))
    const texts = encoder({ text: 'String' })

    const bytes = Buffer.from(texts.encode(rows, new ByteWriter(16))).subarray(texts.encode([]).length)

    const expected = rows.flatMap(({ text }) => [varint(text.length), Buffer.from(text)])
    expect(bytes.equals(Buffer.concat(expected))).toBe(true)
  })

  it('are refused by the first cell that does not fit, named with its row', () => {
    const both = encoder({ small: 'UInt8', text: 'String' })

    expect(() => both.encode([{ small: 1, text: 'a' }, { small: 1, text: 2 }])).toThrow(/row 1 .*column "text" of type String must be a string/)
    expect(() => both.encode([{ small: 300, text: 2 }])).toThrow(/row 0 .*column "small" of type UInt8 does not fit 8 bits/)
  })

  it('come out the same in a process that may not generate code', async () => {
    const url = new URL('./row-encoder.ts', import.meta.url).href
    const script = `
      const { compileRowEncoder } = await import('${url}')
      const encoder = compileRowEncoder('events', [{ name: 'small', type: 'UInt8' }, { name: 'text', type: 'String' }])
      process.stdout.write(Buffer.from(encoder.encode([{ text: 'whale', small: 7 }])).toString('hex'))
      try { encoder.encode([{ small: 1, text: 2 }]) } catch (error) { process.stdout.write(' ' + error.message) }`
    const flags = ['--disallow-code-generation-from-strings', '--conditions=@smart-whale/source', '--input-type=module', '--eval', script]

    const { stdout } = await promisify(execFile)(process.execPath, flags)

    const here = Buffer.from(encoder({ small: 'UInt8', text: 'String' }).encode([{ text: 'whale', small: 7 }])).toString('hex')
    expect(stdout).toBe(`${here} row 0 does not fit table "events": column "text" of type String must be a string or bytes, is a number; nothing was sent`)
  })
})

describe('texts', () => {
  it.each([['ascii', 'a'], ['two bytes', 'ø'], ['three bytes', '鯨'], ['four bytes', '🐋']])('of every length keep their bytes: %s', (_kind, character) => {
    for (const length of [0, 1, 15, 16, 17, 42, 43, 64, 127, 128, 5461, 5462, 16_383, 16_384]) {
      const text = character.repeat(length)
      const bytes = Buffer.from(text)
      const width = bytes.length < 128 ? 1 : bytes.length < 16_384 ? 2 : 3
      const written = Buffer.from(cells({ text: 'String' }, { text }), 'hex')
      expect(written.subarray(width).equals(bytes)).toBe(true)
      expect(written.subarray(0, width).reduce((value, byte, index) => value + (byte & 0x7f) * 128 ** index, 0)).toBe(bytes.length)
    }
  })

  it.each(['\ud83d', `${'a'.repeat(40)}\udc0b`, `${'ø'.repeat(40)}\ud83d${'a'.repeat(200)}`])('with half of a surrogate pair are refused', (text) => {
    expect(() => cells({ text: 'String' }, { text })).toThrow('contains half of a surrogate pair')
  })
})

describe('UUIDs', () => {
  it('are two halves, each with its little end first', () => {
    expect(cells({ id: 'UUID' }, { id: UUID })).toBe('4a7f2faeeaf78901' + '2e1d9c7a5e3b1c9d')
    expect(cells({ id: 'UUID' }, { id: UUID.toUpperCase() })).toBe(cells({ id: 'UUID' }, { id: UUID }))
  })

  it('are nothing else, also where the memory holds a UUID from before', () => {
    const wrong = [
      ...Array.from(UUID, (_, place) => `${UUID.slice(0, place)}g${UUID.slice(place + 1)}`),
      ...Array.from(UUID, (_, place) => `${UUID.slice(0, place)}é${UUID.slice(place + 1)}`),
      // Its low byte alone would be a digit.
      ...Array.from(UUID, (_, place) => `${UUID.slice(0, place)}\u0130${UUID.slice(place + 1)}`),
      UUID.slice(1),
      `${UUID}0`,
      UUID.replaceAll('-', '0'),
    ]
    for (const id of wrong) {
      const writer = new ByteWriter()
      cells({ id: 'UUID' }, { id: UUID }, writer)
      writer.at = 0
      expect(() => cells({ id: 'UUID' }, { id }, writer), id).toThrow('must be a UUID')
    }
  })
})
