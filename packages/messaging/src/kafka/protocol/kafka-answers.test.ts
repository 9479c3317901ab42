import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isMessagingError } from '../../errors.ts'
import { KAFKA_CALLS } from './create-kafka-api.ts'
import { type KafkaCall, readAnswer } from './kafka-call.ts'

/** As Apache Kafka 4.3.1 gave them, for a topic "fixture" of two partitions. */
const ANSWERS = JSON.parse(readFileSync(new URL('../../../test/fixtures/kafka-4.3-answers.json', import.meta.url), 'utf8')) as Record<string, string>

/** What was asked, as far as reading the answer needs it. */
const INPUTS: Readonly<Record<string, unknown>> = {
  Produce: { topic: 'fixture', partition: 0 },
  ListOffsets: { topic: 'fixture', partition: 1 },
  OffsetCommit: { topic: 'fixture', partition: 1 },
  CreateTopics: { topic: 'fixture' },
  DeleteTopics: 'fixture',
  DescribeConfigs: 'fixture',
}

const calls = KAFKA_CALLS.map((call) => ({ call: call as unknown as KafkaCall<unknown, unknown>, name: call.name }))

function answerTo(name: string): Buffer {
  return Buffer.from(ANSWERS[name] ?? '', 'base64')
}

/** Reads bytes that no broker wrote: they may make sense by chance, but nothing else may come of them. */
function expectRefusalOrSense(call: KafkaCall<unknown, unknown>, bytes: Buffer): void {
  try {
    readAnswer(call, bytes, INPUTS[call.name])
  } catch (error) {
    expect(isMessagingError(error) && error.code, String(error)).toBe('ERR_MESSAGING_PROTOCOL')
  }
}

describe('answers of a broker', () => {
  it('has one of each request', () => {
    expect(Object.keys(ANSWERS).toSorted()).toEqual(calls.map(({ name }) => name).toSorted())
  })

  it('are read as they were meant', () => {
    const read = Object.fromEntries(calls.map(({ call, name }) => [name, readAnswer(call, answerTo(name), INPUTS[name]).output]))

    expect(read.Metadata).toMatchObject({
      clusterId: 'MkU3OEVBNTcwNTJENDM2Qg',
      controllerId: 1,
      nodes: [{ nodeId: 1, host: '127.0.0.1', port: 29_092 }],
      topics: [
        { name: 'fixture', errorCode: 0, isInternal: false, partitions: [{ leader: 1, replicas: [1], inSync: [1] }, { leader: 1 }] },
        { name: 'absent', errorCode: 3, partitions: [] },
      ],
    })
    expect(read.Produce).toEqual({ errorCode: 0, baseOffset: 0n, logAppendTimeMs: -1n, errorMessage: null })
    expect(read.InitProducerId).toEqual({ errorCode: 0, producerId: 190n, producerEpoch: 0 })
    expect(read.Fetch).toMatchObject({ errorCode: 0, partitions: [{ partition: 0, highWatermark: 1n, lastStableOffset: 1n, logStartOffset: 0n }, { partition: 1, highWatermark: 2n }] })
    expect(read.ListOffsets).toEqual({ errorCode: 0, offset: 0n })
    expect(read.FindCoordinator).toEqual({ errorCode: 0, node: { nodeId: 1, host: '127.0.0.1', port: 29_092 } })
    expect(read.JoinGroup).toMatchObject({ errorCode: 0, generation: 1, protocol: 'range', members: [{ metadata: Buffer.from([0, 1, 0, 0, 0, 0, 0, 0, 0, 0]) }] })
    expect(read.SyncGroup).toEqual({ errorCode: 0, assignment: Buffer.from('hello') })
    expect(read.OffsetFetch).toEqual({
      errorCode: 0,
      offsets: [
        { topic: 'fixture', partition: 0, offset: -1n, metadata: '', errorCode: 0 },
        { topic: 'fixture', partition: 1, offset: 5n, metadata: 'meta', errorCode: 0 },
      ],
    })
    expect(read.DescribeConfigs).toMatchObject({ errorCode: 0, configs: { 'cleanup.policy': 'delete' } })
    expect(read.AddPartitionsToTxn).toEqual([0, 1].map((partition) => ({ topic: 'fixture', partition, errorCode: 0 })))
    expect(read.TxnOffsetCommit).toEqual([{ topic: 'fixture', partition: 1, errorCode: 0 }])
    for (const name of ['Heartbeat', 'LeaveGroup', 'OffsetCommit', 'DeleteTopics', 'AddOffsetsToTxn', 'EndTxn']) expect(read[name]).toEqual({ errorCode: 0 })
    expect(read.CreateTopics).toEqual({ errorCode: 0, errorMessage: null })
  })

  it.each(calls)('to $name are refused wherever they are cut off', ({ call, name }) => {
    const answer = answerTo(name)

    for (let length = 0; length < answer.length; length++) {
      expect(() => readAnswer(call, answer.subarray(0, length), INPUTS[name]), `${length} of ${answer.length} bytes`).toThrow(
        expect.objectContaining({ code: 'ERR_MESSAGING_PROTOCOL' }) as Error,
      )
    }
  })

  it.each(calls)('to $name are refused with bytes too many', ({ call, name }) => {
    expect(() => readAnswer(call, Buffer.concat([answerTo(name), Buffer.from([0])]), INPUTS[name])).toThrow('has 1 bytes too many')
  })

  it.each(calls)('to $name never end in anything but sense or a refusal', ({ call, name }) => {
    const answer = answerTo(name)
    const damaged = fc.tuple(fc.nat(answer.length - 1), fc.nat(255)).map(([at, byte]) => Buffer.concat([answer.subarray(0, at), Buffer.from([byte]), answer.subarray(at + 1)]))
    const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))

    fc.assert(fc.property(fc.oneof(damaged, anything), (bytes) => expectRefusalOrSense(call, bytes)), { numRuns: 400 })
  })

  it('that name a partition nobody asked for are refused', () => {
    const produce = calls.find(({ name }) => name === 'Produce')?.call as KafkaCall<unknown, unknown>

    expect(() => readAnswer(produce, answerTo('Produce'), { topic: 'fixture', partition: 7 })).toThrow('doesn\'t name partition 7 of "fixture"')
  })
})
