import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { KafkaConnections } from '../kafka-api.ts'
import { createKafkaApi } from './create-kafka-api.ts'
import { WireWriter } from './wire-writer.ts'

const ONE = { host: 'one', port: 9092 }
const TWO = { host: 'two', port: 9092 }
const RECORDS = { topic: 't', partition: 0, records: new Uint8Array(), transactionalId: null }
const RIGHT = { groupId: 'g', generation: 1, memberId: 'm' }
const SOON = { timeoutMs: 1_000 }
const PRODUCE = 0

/** The answers that are asked for here: of a stored batch, and of a request of a group. */
function answerTo(apiKey: number, throttleMs: number): Uint8Array {
  const writer = new WireWriter()
  if (apiKey !== PRODUCE) return writer.int32(throttleMs).int16(0).written()
  const stored = (): unknown => writer.int32(0).int16(0).int64(0n).int64(-1n).int64(0n).array([], () => {}).nullableString(null)
  return writer.array(['t'], (topic) => writer.string(topic).array([0], stored)).int32(throttleMs).written()
}

/** Brokers that ask for so long a pause with each answer, and when each request left. */
function askingFor(throttleMs: number) {
  const clock = new FakeClock()
  const left: [host: string, atMs: number][] = []
  const connections = {
    request: (target: { host: string }, { apiKey }: { apiKey: number }) => {
      left.push([target.host, clock.monotonic()])
      return Promise.resolve(answerTo(apiKey, throttleMs))
    },
  } as unknown as KafkaConnections
  return { clock, left, api: createKafkaApi(connections, clock) }
}

describe('a broker that wants to be left alone', () => {
  it('gets the next request when that is over, and no other broker has to wait for it', async () => {
    const { clock, left, api } = askingFor(5_000)

    await api.heartbeat(ONE, RIGHT, SOON)
    const next = api.leaveGroup(ONE, RIGHT, SOON)
    await api.heartbeat(TWO, RIGHT, SOON)
    await clock.runUntilSettled(next)

    expect(left).toEqual([
      ['one', 0],
      ['two', 0],
      ['one', 5_000],
    ])
  })

  it('gets no records over another connection either', async () => {
    const { clock, left, api } = askingFor(5_000)

    await api.produce(ONE, RECORDS, { ...SOON, channel: '0' })
    await clock.runUntilSettled(api.produce(ONE, RECORDS, { ...SOON, channel: '1' }))

    expect(left.map(([, atMs]) => atMs)).toEqual([0, 5_000])
  })

  it('hears at once of a member whose other connection has to wait', async () => {
    const { left, api } = askingFor(5_000)

    await api.leaveGroup(ONE, RIGHT, { ...SOON, channel: 'joins' })
    await api.heartbeat(ONE, RIGHT, { ...SOON, channel: 'words' })

    expect(left.map(([, atMs]) => atMs)).toEqual([0, 0])
  })

  it('never gets one whose caller gives up before, and no timer is left', async () => {
    const { clock, left, api } = askingFor(5_000)
    await api.produce(ONE, RECORDS, SOON)
    const caller = new AbortController()

    const waiting = api.produce(ONE, RECORDS, { ...SOON, signal: caller.signal })
    caller.abort()

    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await clock.advance(10_000)
    expect([left.length, clock.pendingTimers]).toEqual([1, 0])
  })
})
