import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { deadLetterRecord, deadLetterTopic } from '../dead-letter.ts'
import { createMemoryTransport } from '../memory/index.ts'
import { definePipelines, type PipelineDefinition } from '../pipeline/index.ts'
import type { MessagingTransport } from '../transport.ts'
import { dropDeadLetters } from './drop-dead-letters.ts'
import { groupDeadLetters } from './group-dead-letters.ts'
import { inspectDeadLetter } from './inspect-dead-letter.ts'
import { letterDecoder } from './judge-letter.ts'
import { letterVersion } from './letter-version.ts'
import { readDeadLetters } from './read-dead-letters.ts'
import { readFates } from './read-fates.ts'
import { replayDeadLetters } from './replay-dead-letters.ts'

let transport: MessagingTransport

beforeEach(async () => {
  transport = createMemoryTransport()
  await transport.start()
  for (const [topic, partitions] of [['orders', 2], [deadLetterTopic('orders'), 1]] as const) await transport.topics.create(topic, { partitions })
})

afterEach(() => transport.stop())

function letter(value: string, headers: Readonly<Record<string, string>> = {}) {
  return deadLetterRecord({ topic: 'orders', partition: 0, offset: 7n, key: Buffer.from('k'), value: Buffer.from(value), headers, timestamp: 1000 }, { code: 'invalid', message: 'field "at" is missing' })
}

const VERSIONS = {
  1: { fields: { id: 'int64', when: 'timestamp' }, rename: { when: 'at' } },
  2: { fields: { id: 'int64', at: 'timestamp' } },
} as const

function definitionOf(more: object): PipelineDefinition {
  return definePipelines([{ topic: 'orders', time: 'at', id: 'id', ...more }])[0] as PipelineDefinition
}

describe('a letter of a pipeline with versions', () => {
  it('is read by the version that its header names, and goes back', async () => {
    const definition = definitionOf({ versions: VERSIONS })
    await transport.send(deadLetterTopic('orders'), [letter('{"id":1,"when":"2026-01-01T00:00:00Z"}', { 'schema-version': '1' }), letter('{"id":2}', { 'schema-version': '2' })])

    expect(await replayDeadLetters(transport, { topic: 'orders', decode: letterDecoder(definition) })).toMatchObject({ selected: 2, sent: 1, stillBad: 1, stillBadExamples: [{ place: '0-1', reason: 'field "at" is missing' }] })
  })

  it.each([
    ['{"v":2}', {}, '2'],
    ['{"v":"2"}', {}, '2'],
    ['{}', {}, '1'],
    ['{"v":{}}', {}, '1'],
    ['{"v":2', {}, null],
    ['{"v":2}', { 'schema-version': '9' }, '2'],
  ])('%s is of the version that its field names', async (value, headers, version) => {
    await transport.send(deadLetterTopic('orders'), [letter(value, headers)])
    const versionOf = letterVersion({ header: null, field: 'v', absent: '1' })
    const found: (string | null)[] = []
    for await (const one of readDeadLetters(transport, 'orders', { versionOf })) found.push(one.schemaVersion)

    expect(found).toEqual([version])
    expect(await replayDeadLetters(transport, { topic: 'orders', versionOf, select: { schemaVersions: [version] }, dryRun: true })).toMatchObject({ selected: 1 })
  })
})

describe('letterDecoder', () => {
  it('sees what a transform refuses, and what headers, key and origin tell it', async () => {
    const seen: unknown[] = []
    const definition = definitionOf({
      fields: { id: 'int64', at: 'timestamp' },
      transform: (event: { id: bigint }, context: { header(name: string): string | null; partition: number; offset: bigint }) => {
        seen.push([context.header('shop'), context.partition, context.offset])
        if (event.id === 2n) throw new TypeError('no')
        return event
      },
    })
    await transport.send(deadLetterTopic('orders'), [letter('{"id":1,"at":"2026-01-01T00:00:00Z"}', { shop: 'Oslo' }), letter('{"id":2,"at":"2026-01-01T00:00:00Z"}')])
    const views = []
    for await (const one of readDeadLetters(transport, 'orders')) views.push(inspectDeadLetter(one, { decode: letterDecoder(definition) }))

    expect(views.map(({ refusedToday }) => refusedToday?.code ?? null)).toEqual([null, 'transform-failed'])
    expect(seen).toEqual([
      ['Oslo', 0, 7n],
      [null, 0, 7n],
    ])
  })
})

describe('readFates', () => {
  it('tells which letters were sent again or dropped, by whom and when, and holds nothing', async () => {
    await transport.send(deadLetterTopic('orders'), [letter('{"id":1}'), letter('{"id":2}'), letter('{"id":3}')])
    expect((await readFates(transport, 'orders'))({ partition: 0, offset: 0n })).toBeNull()
    await replayDeadLetters(transport, { topic: 'orders', select: { positions: [{ partition: 0, offset: 0n }] }, patch: (event) => event, by: 'ada' })
    await dropDeadLetters(transport, { topic: 'orders', select: { positions: [{ partition: 0, offset: 1n }] }, by: 'bob' })
    const fateOf = await readFates(transport, 'orders')

    expect(fateOf({ partition: 0, offset: 0n })).toMatchObject({ state: 'replayed', by: 'ada', patch: expect.stringMatching(/^[0-9a-f]{12}$/) as string })
    expect(fateOf({ partition: 0, offset: 1n })).toMatchObject({ state: 'dropped', by: 'bob', patch: null, at: expect.stringMatching(/^\d{4}-.*Z$/) as string })
    expect(fateOf({ partition: 0, offset: 2n })).toBeNull()
    expect(await groupDeadLetters(readDeadLetters(transport, 'orders'), fateOf)).toMatchObject([{ count: 3, replayed: 1, dropped: 1, examples: [{ partition: 0, offset: 2n }] }])
  })

  it('finds out what a replay that died had sent', async () => {
    await transport.send(deadLetterTopic('orders'), [letter('{"id":1}'), letter('{"id":2}')])
    let sends = 0
    const dying = new Proxy(transport, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'send') return typeof value === 'function' ? (value as () => unknown).bind(target) : value
        // The intent and the letters are sent, and then nothing more.
        return async (...args: Parameters<MessagingTransport['send']>) => (++sends > 2 ? Promise.reject(new TypeError('it died')) : target.send(...args))
      },
    })
    await expect(replayDeadLetters(dying, { topic: 'orders', by: 'ada' })).rejects.toThrow('it died')
    const fateOf = await readFates(transport, 'orders')

    expect([0n, 1n].map((offset) => fateOf({ partition: 0, offset })?.state)).toEqual(['replayed', 'replayed'])
  })

  it('counts nothing in a dry run of a drop', async () => {
    await transport.send(deadLetterTopic('orders'), [letter('{"id":1}')])

    expect(await dropDeadLetters(transport, { topic: 'orders', select: {}, dryRun: true })).toBe(1)
    expect((await readFates(transport, 'orders'))({ partition: 0, offset: 0n })).toBeNull()
  })
})
