import { afterEach, describe, expect, it } from 'vitest'
import { ScriptedKafka } from '../../../test/support/scripted-kafka.ts'
import { PartialSendError } from '../../errors.ts'
import { BROKER } from '../broker-errors.ts'
import type { KafkaTransportOptions } from '../options.ts'
import { KafkaTransport } from './kafka-transport.ts'

const open: KafkaTransport[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.stop()))
})

async function start(kafka: ScriptedKafka, options: KafkaTransportOptions = {}): Promise<KafkaTransport> {
  const transport = new KafkaTransport(kafka.connections, options, kafka.api)
  open.push(transport)
  await transport.start()
  return transport
}

const records = (...values: string[]) => values.map((value) => ({ value, partition: 0 }))
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'it did not fail', (error: unknown) => error)
/** Lets everything happen that needs no time. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('sending to Kafka', () => {
  it('stores a batch once whose answer got lost, and names its place', async () => {
    const kafka = new ScriptedKafka()
    kafka.script.push('store and break', 'break before')
    const transport = await start(kafka)

    const positions = await transport.send('t', records('a', 'b'))

    expect(positions).toEqual([{ partition: 0, offset: 0n }, { partition: 0, offset: 1n }])
    expect(kafka.stored()).toEqual(['a', 'b'])
    expect(kafka.produced).toHaveLength(2)
  })

  it('calls records unknown that were on their way when the time was up, and the others by their place', async () => {
    const kafka = new ScriptedKafka(2)
    kafka.script.push('store', 'hang')
    const transport = await start(kafka)

    const error = await failureOf(transport.send('t', [{ value: 'a', partition: 0 }, { value: 'b', partition: 1 }], { timeoutMs: 100 }))

    expect(PartialSendError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ stored: [{ partition: 0, offset: 0n }, null], unknown: [1], cause: { code: 'ERR_MESSAGING_TIMEOUT' } })
  })

  it('says plainly that time was up when nothing had left', async () => {
    const kafka = new ScriptedKafka()
    kafka.script.push('never leave')
    const transport = await start(kafka, { requestTimeoutMs: 60_000 })

    const error = await failureOf(transport.send('t', records('a'), { timeoutMs: 50 }))

    expect(error).toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT' })
  })

  it('says what the last attempt failed of when the time was up, and that nothing is stored', async () => {
    const kafka = new ScriptedKafka()
    kafka.script.push(...Array.from({ length: 1_000 }, () => BROKER.NOT_ENOUGH_REPLICAS))
    const transport = await start(kafka)

    const error = await failureOf(transport.send('t', records('a'), { timeoutMs: 100 }))

    expect(error).toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT', retryable: true, message: expect.stringMatching(/100 ms.*NOT_ENOUGH_REPLICAS.*min\.insync\.replicas/) as string })
    expect(error).toMatchObject({ cause: { code: 'ERR_MESSAGING_BROKER_REFUSED' } })
    expect(kafka.stored()).toEqual([])
  })

  it('calls a record unknown whose caller gave up while the batch of others was about to leave', async () => {
    const kafka = new ScriptedKafka()
    kafka.script.push('never leave')
    const transport = await start(kafka)

    const patient = failureOf(transport.send('t', records('patient'), { timeoutMs: 150 }))
    const impatient = await failureOf(transport.send('t', records('impatient'), { timeoutMs: 50 }))

    expect(impatient).toMatchObject({ code: 'ERR_MESSAGING_PARTIAL_SEND', unknown: [0] })
    await patient
  })

  it('leaves those out of a batch who gave up before it left', async () => {
    const kafka = new ScriptedKafka()
    kafka.script.push(BROKER.NOT_ENOUGH_REPLICAS, BROKER.NOT_ENOUGH_REPLICAS, BROKER.NOT_ENOUGH_REPLICAS)
    const transport = await start(kafka)
    const caller = new AbortController()

    const impatient = failureOf(transport.send('t', records('impatient'), { signal: caller.signal }))
    const patient = transport.send('t', records('patient'))
    await turn()
    caller.abort()
    await patient

    expect(await impatient).toMatchObject({ code: 'ERR_ABORTED' })
    expect(kafka.stored()).toEqual(['patient'])
  })

  it('never uses the numbers again of a batch that was given up in doubt', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', records('first'))
    kafka.script.push('hang')

    const error = await failureOf(transport.send('t', records('lost?'), { timeoutMs: 50 }))
    await transport.send('t', records('next'))

    const [first, doubtful, next] = kafka.produced
    expect(error).toMatchObject({ unknown: [0] })
    expect([doubtful?.producerId, doubtful?.sequence]).toEqual([first?.producerId, 1])
    expect(next?.producerId).not.toBe(first?.producerId)
    expect(next?.sequence).toBe(0)
  })

  it('goes on as another producer when the broker lost track, unless that could store a second copy', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    kafka.script.push(BROKER.UNKNOWN_PRODUCER_ID)
    await transport.send('t', records('a'))
    kafka.script.push('store and break', BROKER.OUT_OF_ORDER_SEQUENCE_NUMBER)

    const error = await failureOf(transport.send('t', records('b')))

    expect(error).toMatchObject({ code: 'ERR_MESSAGING_PARTIAL_SEND', stored: [null], unknown: [0] })
    expect(kafka.stored()).toEqual(['a', 'b'])
  })

  it('does not take a leader that stepped down for one that stored nothing', async () => {
    const kafka = new ScriptedKafka()
    kafka.script.push(...Array.from({ length: 1_000 }, () => BROKER.NOT_LEADER_OR_FOLLOWER))
    const transport = await start(kafka)

    const error = await failureOf(transport.send('t', records('a'), { timeoutMs: 100 }))

    expect(error).toMatchObject({ code: 'ERR_MESSAGING_PARTIAL_SEND', unknown: [0] })
  })

  it('divides what the topic finds too large, so that only a record that is too large alone is refused', async () => {
    const kafka = new ScriptedKafka()
    kafka.maxBatchBytes = 400
    const transport = await start(kafka)
    const small = Array.from({ length: 12 }, (_, index) => `${index}`.padStart(50, '.'))

    const positions = await transport.send('t', records(...small))
    const error = await failureOf(transport.send('t', records('x', 'L'.repeat(500), 'y')))

    expect(positions.map(({ offset }) => offset)).toEqual(small.map((_, index) => BigInt(index)))
    expect(kafka.stored()).toEqual([...small, 'x', 'y'])
    expect(error).toMatchObject({ stored: [{ offset: 12n }, null, { offset: 13n }], unknown: [], cause: { code: 'ERR_MESSAGING_RECORD_TOO_LARGE' } })
  })

  it('sends together what is given at the same time, in its order, one request at a time', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)
    await transport.send('t', records('warm'))

    const sends = Array.from({ length: 50 }, (_, index) => transport.send('t', records(`${index}`)))
    const positions = (await Promise.all(sends)).flat()

    expect(kafka.stored().slice(1)).toEqual(Array.from({ length: 50 }, (_, index) => `${index}`))
    expect(positions.map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, index) => BigInt(index + 1)))
    expect(kafka.produced.length).toBeLessThan(5)
  })

  it('lets senders wait while as many bytes as it may hold are under way', async () => {
    const kafka = new ScriptedKafka()
    kafka.script.push('hang')
    const transport = await start(kafka, { maxPendingBytes: 1_000 })

    const first = failureOf(transport.send('t', records('a'.repeat(900)), { timeoutMs: 150 }))
    await turn()
    const second = await failureOf(transport.send('t', records('b'.repeat(900)), { timeoutMs: 50 }))
    await first
    await transport.send('t', records('c'))

    // It had no turn: surely nothing of it is stored.
    expect(second).toMatchObject({ code: 'ERR_MESSAGING_TIMEOUT' })
    expect(kafka.stored()).toEqual(['c'])
  })

  it('lets what is under way come to its end before it stops', async () => {
    const kafka = new ScriptedKafka()
    const transport = await start(kafka)

    const sending = transport.send('t', records('last'))
    await transport.stop()

    expect(await sending).toEqual([{ partition: 0, offset: 0n }])
  })
})
