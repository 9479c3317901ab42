import { copyFile, readdir, readFile, truncate, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Logger, silentLogger } from '@smart-whale/interfaces'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { append, openLog, readValues, storeIn, withFolder } from '../../../test/support/log-fixture.ts'

const FIRST = '00000000000000000000.log'
const PREAMBLE_BYTES = 16

interface WrittenLog {
  readonly bytes: Buffer
  /** After how many bytes of the file how many values are there. */
  readonly frames: readonly { readonly end: number; readonly values: readonly string[] }[]
}

/** Writes frames as a broker does that is then killed: nothing is closed. */
async function writeLog(folder: string, groups: readonly (readonly (string | Buffer)[])[]): Promise<WrittenLog> {
  const log = await openLog(folder)
  const frames: { end: number; values: string[] }[] = []
  const values: string[] = []
  for (const group of groups) {
    await append(log, group)
    values.push(...group.map(String))
    frames.push({ end: log.storedBytes, values: [...values] })
  }
  const bytes = await readFile(join(folder, FIRST))
  await log.close()
  return { bytes, frames }
}

const valuesWithin = ({ frames }: WrittenLog, bytes: number): readonly string[] => frames.findLast((frame) => frame.end <= bytes)?.values ?? []

async function reopen(folder: string, bytes: Buffer, logger: Logger = silentLogger): Promise<string[]> {
  await writeFile(join(folder, FIRST), bytes)
  const log = await openLog(folder, { store: storeIn(folder, logger) })
  try {
    return await readValues(log)
  } finally {
    await log.close()
  }
}

describe('a log that was cut off', () => {
  it('has, wherever it was cut, every record that was wholly written and nothing else', () =>
    withFolder(async (folder) => {
      const written = await writeLog(folder, [['a', 'bb'], ['ccc'], ['', 'dddd', 'e'.repeat(30)]])

      for (let cut = 0; cut <= written.bytes.length; cut++) {
        expect(await reopen(folder, written.bytes.subarray(0, cut)), `cut at ${cut}`).toEqual(valuesWithin(written, cut))
      }
    }))

  it('goes on from there: what is sent next is read after what was left', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.string(), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 }), fc.double({ min: 0, max: 1, noNaN: true }), (groups, share) =>
        withFolder(async (folder) => {
          const written = await writeLog(folder, groups)
          const cut = Math.floor(share * written.bytes.length)
          await truncate(join(folder, FIRST), cut)

          const log = await openLog(folder)
          const offset = await append(log, ['new'])
          await log.close()
          const again = await openLog(folder)

          const kept = valuesWithin(written, cut)
          expect(offset).toBe(kept.length)
          expect(await readValues(again)).toEqual([...kept, 'new'])
          await again.close()
        }),
      ),
      { numRuns: 40 },
    ))

  it('drops a write of which only the length reached the disk, and says so', () =>
    withFolder(async (folder) => {
      const written = await writeLog(folder, [['kept'], ['x'.repeat(3_000)]])
      const kept = written.frames[0]?.end ?? 0
      const warnings: object[] = []
      const logger = { ...silentLogger, warn: (fields: object | string) => void warnings.push(fields as object) }

      const zeroed = Buffer.concat([written.bytes.subarray(0, 1_024), Buffer.alloc(written.bytes.length - 1_024)])
      expect(await reopen(folder, zeroed, logger)).toEqual(['kept'])

      expect(warnings).toEqual([expect.objectContaining({ bytes: written.bytes.length - kept, offset: 1 })])
    }))
})

describe('a log with a byte that changed', () => {
  it('refuses to open, wherever the byte is, rather than to lose what was acknowledged', () =>
    withFolder(async (folder) => {
      const written = await writeLog(folder, [['a', 'bb'], ['ccc'], ['dddd']])

      for (let at = 0; at < written.bytes.length; at++) {
        const flipped = Buffer.from(written.bytes)
        flipped[at] = (flipped[at] ?? 0) ^ 0x10
        await expect(reopen(folder, flipped), `flipped at ${at}`).rejects.toMatchObject({ code: 'ERR_MESSAGING_LOG_CORRUPT' })
      }
    }))

  it('refuses to open when a sector was lost in front of what was acknowledged later', () =>
    withFolder(async (folder) => {
      const written = await writeLog(folder, [['x'.repeat(3_000)], ['y']])

      const holed = Buffer.from(written.bytes)
      holed.fill(0, 1_024, 1_536)

      await expect(reopen(folder, holed)).rejects.toMatchObject({ code: 'ERR_MESSAGING_LOG_CORRUPT' })
    }))

  it('is found when it is read, where it was not looked at when the log was opened', () =>
    withFolder(async (folder) => {
      const log = await openLog(folder, { segmentBytes: 300 })
      for (const value of ['a', 'b', 'c', 'd', 'e']) await append(log, [value.repeat(100)])
      await log.close()
      const sealed = join(folder, FIRST)
      const bytes = await readFile(sealed)
      bytes[bytes.length - 1] = 0
      await writeFile(sealed, bytes)

      const again = await openLog(folder, { segmentBytes: 300 })

      await expect(readValues(again)).rejects.toMatchObject({ code: 'ERR_MESSAGING_LOG_CORRUPT' })
      expect(await readValues(again, 2)).toHaveLength(3)
      await again.close()
    }))

  it('takes nothing inside a message for a part of the log', () =>
    withFolder(async (folder) => {
      const other = await withFolder(async (elsewhere) => (await writeLog(elsewhere, [['foreign']])).bytes)
      const written = await writeLog(folder, [['kept'], [Buffer.concat([other, other.subarray(PREAMBLE_BYTES), Buffer.from('.')])]])

      expect(await reopen(folder, written.bytes.subarray(0, -1))).toEqual(['kept'])
    }))
})

describe('a log of several files', () => {
  const values = Array.from({ length: 20 }, (_, i) => `${i}`.padEnd(100, '.'))

  async function writeSegments(folder: string): Promise<string[]> {
    const log = await openLog(folder, { segmentBytes: 500 })
    for (const value of values) await append(log, [value])
    await log.close()
    return (await readdir(folder)).filter((name) => name.endsWith('.log')).sort()
  }

  it('is opened again, and read from any offset on', () =>
    withFolder(async (folder) => {
      const files = await writeSegments(folder)
      const log = await openLog(folder, { segmentBytes: 500 })

      expect(files.length).toBeGreaterThan(4)
      expect([log.earliest, log.latest]).toEqual([0, 20])
      for (let from = 0; from <= 20; from++) expect(await readValues(log, from)).toEqual(values.slice(from))
      await log.close()
    }))

  it('makes a lost index again, and notices a damaged one', () =>
    withFolder(async (folder) => {
      const files = await writeSegments(folder)
      const [first, second] = files.map((name) => join(folder, name.replace('.log', '.index')))
      await unlink(first ?? '')
      await writeFile(second ?? '', 'nonsense')

      const log = await openLog(folder)
      expect(await readValues(log)).toEqual(values)
      await log.close()

      expect(await readdir(folder)).toContain(files[0]?.replace('.log', '.index'))
    }))

  it('refuses to open when one of them is missing, shorter, or not its own', () =>
    withFolder(async (folder) => {
      const files = await writeSegments(folder)
      const [first = '', second = '', third = ''] = files.map((name) => join(folder, name))
      const corrupt = { code: 'ERR_MESSAGING_LOG_CORRUPT' }
      const whole = await readFile(second)

      await unlink(second)
      await expect(openLog(folder)).rejects.toMatchObject(corrupt)
      await writeFile(second, whole.subarray(0, -1))
      await expect(openLog(folder)).rejects.toMatchObject(corrupt)
      await unlink(second.replace('.log', '.index'))
      await expect(openLog(folder)).rejects.toMatchObject(corrupt)
      await copyFile(third, second)
      await expect(openLog(folder)).rejects.toMatchObject(corrupt)
      await writeFile(second, whole)
      await writeFile(first, whole.subarray(0, PREAMBLE_BYTES))
      await expect(openLog(folder)).rejects.toMatchObject(corrupt)
    }))

  it('goes on when it was killed between two files', () =>
    withFolder(async (folder) => {
      const files = await writeSegments(folder)
      const last = files.at(-1) ?? ''
      await writeFile(join(folder, '00000000000000000020.log'), (await readFile(join(folder, last))).subarray(0, 7))

      const log = await openLog(folder)
      expect(await append(log, ['next'])).toBe(20)
      expect(await readValues(log)).toEqual([...values, 'next'])
      await log.close()
    }))
})
