import { FakeClock } from '@smart-whale/interfaces/testing'
import { describe, expect, it } from 'vitest'
import type { KafkaApi, ProduceResult } from '../kafka-api.ts'
import { heedThrottle } from './heed-throttle.ts'

const ONE = { host: 'one', port: 9092 }
const TWO = { host: 'two', port: 9092 }
const RECORDS = { topic: 't', partition: 0, records: new Uint8Array(), transactionalId: null }
const SOON = { timeoutMs: 1_000 }

/** An api whose brokers ask for so long a pause with each answer, and when each request left. */
function askingFor(throttleMs: number) {
  const clock = new FakeClock()
  const left: [host: string, atMs: number][] = []
  const stored: ProduceResult = { errorCode: 0, baseOffset: 0n, logAppendTimeMs: -1n, errorMessage: null, throttleMs }
  const api = {
    produce: (target: { host: string }) => {
      left.push([target.host, clock.monotonic()])
      return Promise.resolve(stored)
    },
  } as unknown as KafkaApi
  return { clock, left, heeded: heedThrottle(api, clock) }
}

describe('a broker that wants to be left alone', () => {
  it('gets the next request when that is over, and no other broker has to wait for it', async () => {
    const { clock, left, heeded } = askingFor(5_000)

    await heeded.produce(ONE, RECORDS, SOON)
    const next = heeded.produce(ONE, RECORDS, SOON)
    await heeded.produce(TWO, RECORDS, SOON)
    await clock.runUntilSettled(next)

    expect(left).toEqual([
      ['one', 0],
      ['two', 0],
      ['one', 5_000],
    ])
  })

  it('never gets one whose caller gives up before, and no timer is left', async () => {
    const { clock, left, heeded } = askingFor(5_000)
    await heeded.produce(ONE, RECORDS, SOON)
    const caller = new AbortController()

    const waiting = heeded.produce(ONE, RECORDS, { ...SOON, signal: caller.signal })
    caller.abort()

    await expect(waiting).rejects.toMatchObject({ code: 'ERR_ABORTED' })
    await clock.advance(10_000)
    expect([left.length, clock.pendingTimers]).toEqual([1, 0])
  })
})
