import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { deadLetterRecord, deadLetterTopic } from '../dead-letter.ts'
import { createMemoryTransport } from '../memory/index.ts'
import { definePipelines, eventDecoder } from '../pipeline/index.ts'
import type { MessagingTransport } from '../transport.ts'
import { dropDeadLetters } from './drop-dead-letters.ts'
import { groupDeadLetters } from './group-dead-letters.ts'
import { inspectDeadLetter } from './inspect-dead-letter.ts'
import { patchFromFields } from './patch-dead-letter.ts'
import { type DeadLetter, readDeadLetters } from './read-dead-letters.ts'
import { replayDeadLetters } from './replay-dead-letters.ts'
import { journalTopic } from './replay-journal.ts'

let transport: MessagingTransport
const [definition] = definePipelines([{ topic: 'orders', fields: { id: 'int64', at: 'timestamp' }, time: 'at', id: 'id' }])
const decode = eventDecoder(definition as NonNullable<typeof definition>)

const letter = (offset: number, value: string | null, code = 'invalid', message = `field "at" is missing in event ${offset}`) =>
  deadLetterRecord(
    { topic: 'orders', partition: offset % 2, offset: BigInt(offset), key: Buffer.from(`k${offset}`), value: value === null ? null : Buffer.from(value), headers: { 'schema-version': '2' }, timestamp: 1000 + offset },
    { code, message },
  )

beforeEach(async () => {
  transport = createMemoryTransport()
  await transport.start()
  await transport.topics.create('orders', { partitions: 2 })
  await transport.topics.create(deadLetterTopic('orders'), { partitions: 1 })
  await transport.send('orders', [{ value: 'earlier', partition: 0 }])
})

afterEach(() => transport.stop())

async function valuesOf(topic: string): Promise<string[]> {
  const values: string[] = []
  const partitions = (await transport.topics.describe(topic))?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    const reader = await transport.openPartition(topic, partition)
    const batch = await reader.read({ maxBytes: 1e6, maxRecords: 1000, maxWaitMs: 0 })
    for (let index = 0; index < batch.length; index++) values.push(Buffer.from(batch.valueAt(index) ?? []).toString())
    await reader.close()
  }
  return values
}

async function letters(): Promise<DeadLetter[]> {
  const found: DeadLetter[] = []
  for await (const one of readDeadLetters(transport, 'orders')) found.push(one)
  return found
}

describe('replayDeadLetters', () => {
  it('sends patched letters back once, with key and headers, and leaves those that would die again', async () => {
    await transport.send(deadLetterTopic('orders'), [letter(1, '{"id":9007199254740993}'), letter(2, 'broken', 'undecodable', 'the message is not JSON')])
    const patch = patchFromFields({ set: { at: '2026-01-01T00:00:00Z' } })

    const planned = await replayDeadLetters(transport, { topic: 'orders', patch, decode, dryRun: true })
    expect(planned).toMatchObject({ selected: 2, sent: 1, stillBad: 1, isDryRun: true, stillBadExamples: [{ place: '0-1', reason: 'the patch leaves it where it is' }] })
    expect(await valuesOf('orders')).toEqual(['earlier'])

    expect(await replayDeadLetters(transport, { topic: 'orders', patch, decode, by: 'ada' })).toMatchObject({ sent: 1, stillBad: 1, settledBefore: 0 })
    expect(await replayDeadLetters(transport, { topic: 'orders', patch, decode })).toMatchObject({ sent: 0, stillBad: 1, settledBefore: 1 })
    expect((await valuesOf('orders')).sort()).toEqual(['earlier', '{"id":9007199254740993,"at":"2026-01-01T00:00:00Z"}'])
    expect((await valuesOf(journalTopic('orders'))).map((entry) => (JSON.parse(entry) as { kind: string }).kind)).toEqual(['intent', 'done'])
  })

  it('lets a message begin anew: neither expired nor with its tries used up', async () => {
    const used = letter(1, '{"a":1}')
    await transport.send(deadLetterTopic('orders'), [{ ...used, headers: { ...used.headers, 'smartwhale-expires-at': '1', 'smartwhale-retry-attempt': '3' } }])
    await replayDeadLetters(transport, { topic: 'orders' })

    const headers: string[] = []
    for (const partition of [0, 1]) {
      const reader = await transport.openPartition('orders', partition)
      const batch = await reader.read({ maxBytes: 1e6, maxRecords: 10, maxWaitMs: 0 })
      for (let index = 0; index < batch.length; index++) headers.push(...Object.keys(batch.headersAt(index)))
    }
    expect(headers.sort()).toEqual(['schema-version', 'smartwhale-replay-of'])
  })

  it('finds out what a replay that died had sent, wherever it died', async () => {
    await transport.send(deadLetterTopic('orders'), [letter(1, '{"a":1}'), letter(2, '{"a":2}'), letter(3, '{"a":3}')])
    for (const dieAt of [1, 2, 3, 4, 5]) {
      const dying = dyingAt(transport, dieAt)
      await replayDeadLetters(dying, { topic: 'orders', batchSize: 2 }).catch(() => {})
    }
    await replayDeadLetters(transport, { topic: 'orders', batchSize: 2 })

    expect((await valuesOf('orders')).sort()).toEqual(['earlier', '{"a":1}', '{"a":2}', '{"a":3}'])
  })

  it('does not send what was dropped, and selects by reason', async () => {
    await transport.send(deadLetterTopic('orders'), [letter(1, '{"a":1}'), letter(2, '{"a":2}', 'undecodable'), letter(3, '{"a":3}')])

    expect(await dropDeadLetters(transport, { topic: 'orders', select: { positions: [{ partition: 0, offset: 0n }] }, by: 'ada' })).toBe(1)
    expect(await replayDeadLetters(transport, { topic: 'orders', select: { codes: ['invalid'] } })).toMatchObject({ selected: 2, sent: 1, settledBefore: 1 })
    expect((await valuesOf('orders')).sort()).toEqual(['earlier', '{"a":3}'])
  })

  it('refuses a journal that something else wrote to, and a topic without dead letters', async () => {
    await transport.topics.create(journalTopic('orders'), { partitions: 1 })
    await transport.send(journalTopic('orders'), [{ value: 'what is this' }])

    await expect(replayDeadLetters(transport, { topic: 'orders' })).rejects.toMatchObject({ code: 'ERR_MESSAGING_JOURNAL' })
    await expect(replayDeadLetters(transport, { topic: 'nothing' })).rejects.toMatchObject({ code: 'ERR_MESSAGING_TOPIC_NOT_FOUND' })
  })
})

describe('groupDeadLetters', () => {
  it('puts together what died of the same thing', async () => {
    await transport.send(deadLetterTopic('orders'), [letter(1, '{}'), letter(2, '{}'), letter(3, 'x', 'undecodable', 'the message is not JSON')])

    expect(await groupDeadLetters(await letters())).toMatchObject([
      { code: 'invalid', pattern: 'field "at" is missing in event #', schemaVersion: '2', count: 2, examples: [{ partition: 0, offset: 0n }, { partition: 0, offset: 1n }] },
      { code: 'undecodable', pattern: 'the message is not JSON', count: 1 },
    ])
  })
})

describe('inspectDeadLetter', () => {
  it('shows text, bytes and tombstones, and what today refuses', async () => {
    await transport.send(deadLetterTopic('orders'), [letter(1, '{"id":1}'), { ...letter(2, ''), value: Buffer.from([0xff, 0x00]) }, letter(3, null), { value: 'foreign' }])
    const [json, bytes, none, foreign] = (await letters()).map((one) => inspectDeadLetter(one, { decode, maxBytes: 5 }))

    expect(json).toMatchObject({ origin: { topic: 'orders', partition: 1, offset: '1' }, key: 'k1', headers: { 'schema-version': '2' }, value: { kind: 'json', bytes: 8, text: '{"id"', isCut: true }, refusedToday: { field: 'at' } })
    expect(bytes).toMatchObject({ value: { kind: 'bytes', bytes: 2, base64: '/wA=' } })
    expect(none).toMatchObject({ value: { kind: 'none' } })
    expect(foreign).toMatchObject({ origin: null, reason: { code: 'unknown' } })
  })
})

describe('patchFromFields', () => {
  it('renames, removes, fills and sets, in this order', () => {
    const patch = patchFromFields({ rename: { old: 'new' }, remove: ['gone'], fill: { empty: 1, kept: 1 }, set: { fixed: 2 } })

    expect(patch({ old: 'v', gone: 1, empty: null, kept: 0, fixed: 1 }, {} as DeadLetter)).toEqual({ new: 'v', empty: 1, kept: 0, fixed: 2 })
    expect(patch('text', {} as DeadLetter)).toBeUndefined()
  })

  it.each([[{ sets: {} }, /sets is none of/], [{ set: [] }, /set must be an object/], [{ remove: 'a' }, /remove must be a list/], [{ rename: { a: '' } }, /rename.a must be a field name/], [null, /patch must be an object/]])('refuses %j', (fields, message) => {
    expect(() => patchFromFields(fields as never)).toThrow(message)
  })
})

/** The transport of a process that dies at its n-th send: before it, or after it was carried out. */
function dyingAt(real: MessagingTransport, dieAt: number): MessagingTransport {
  let sends = 0
  return new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name !== 'send') return typeof value === 'function' ? (value as () => unknown).bind(target) : value
      return async (...args: Parameters<MessagingTransport['send']>) => {
        if (++sends >= dieAt && dieAt % 2 === 1) throw new TypeError('the process died before the send')
        const positions = await target.send(...args)
        if (sends >= dieAt) throw new TypeError('the process died after the send')
        return positions
      }
    },
  })
}
