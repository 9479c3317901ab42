import { InfrastructureError } from '@smart-whale/interfaces'
import { PartialSendError } from '../../../src/errors.ts'
import type { KafkaTransportOptions } from '../../../src/kafka/options.ts'
import type { RecordPosition } from '../../../src/transport.ts'
import { SimulatedCluster } from './cluster.ts'
import { SimulatedProcess } from './process.ts'

/** What the caller of a send is told of one record. */
type Told = { readonly kind: 'stored'; readonly position: RecordPosition } | { readonly kind: 'unknown' } | { readonly kind: 'not stored' }

/** What one caller sends, and how patient it is. */
export interface SendPlan {
  readonly partitions: readonly number[]
  readonly timeoutMs: number
  /** Gives up by itself after so long; null when it doesn't. */
  readonly abortAfterMs: number | null
}

const STOP_MS = 10_000 + 1_000
/** What a deadline may be late by: nothing but the turn of a timer. */
const LATE_MS = 5

/** One process that sends, under faults, and what must never be seen of what its callers are told. */
export class SendWorld {
  readonly cluster: SimulatedCluster
  readonly process: SimulatedProcess
  readonly complaints: string[] = []
  readonly #sending: Promise<void>[] = []
  readonly #told: { readonly partition: number; readonly value: string; readonly told: Told }[] = []
  #values = 0

  constructor(partitions: number, options: KafkaTransportOptions = {}) {
    this.cluster = new SimulatedCluster(partitions)
    this.process = new SimulatedProcess(this.cluster, 'sender', { requestTimeoutMs: 1_500, ...options })
  }

  async start(): Promise<void> {
    await this.cluster.clock.runUntilSettled(this.process.transport.start())
  }

  /** Sends a record to each of the partitions, one that may be named more than once. */
  send({ partitions, timeoutMs, abortAfterMs }: SendPlan): void {
    const { clock } = this.process
    const records = partitions.map((partition) => ({ partition, value: `v${this.#values++}` }))
    const caller = new AbortController()
    const patience = abortAfterMs === null ? undefined : clock.setTimeout(() => caller.abort(), abortAfterMs)
    const began = clock.monotonic()
    const note = (told: (index: number) => Told): void => {
      if (patience !== undefined) clock.clearTimeout(patience)
      const tookMs = clock.monotonic() - began
      if (tookMs > Math.min(timeoutMs, abortAfterMs ?? Infinity) + LATE_MS) this.complaints.push(`a send that had ${timeoutMs} ms (${abortAfterMs}) took ${tookMs}`)
      for (const [index, { partition, value }] of records.entries()) this.#told.push({ partition, value, told: told(index) })
    }
    const sending = this.process.transport.send('t', records, { timeoutMs, signal: caller.signal }).then(
      (positions) => note((index) => ({ kind: 'stored', position: positions[index] as RecordPosition })),
      (error: unknown) => note((index) => toldBy(error, index, (complaint) => this.complaints.push(complaint))),
    )
    this.#sending.push(sending)
  }

  /** Everything is well again, every send has its answer, the process stops; then what was told is compared with what is there. */
  async close(): Promise<readonly string[]> {
    const { cluster, process } = this
    cluster.faults.clear()
    cluster.inSync = 3
    for (const { nodeId, state } of cluster.nodes) if (state !== 'up') cluster.resume(nodeId)
    await cluster.clock.runUntilSettled(Promise.all(this.#sending))
    const began = cluster.clock.monotonic()
    await cluster.clock.runUntilSettled(process.transport.stop())
    if (cluster.clock.monotonic() - began > STOP_MS) this.complaints.push('the stop took too long')
    await cluster.clock.advance(0)
    if (process.clock.pendingTimers + process.waiting > 0) this.complaints.push(`${process.clock.pendingTimers} timers and ${process.waiting} requests were left behind`)
    // Whatever is still on its way arrives.
    await cluster.clock.advance(20_000)
    for (const [partition, log] of cluster.logs.entries()) this.#compare(partition, log.values)
    return this.complaints
  }

  #compare(partition: number, stored: readonly string[]): void {
    const copies = new Map<string, number>()
    for (const value of stored) copies.set(value, (copies.get(value) ?? 0) + 1)
    for (const [value, count] of copies) if (count > 1) this.complaints.push(`${value} is stored ${count} times`)
    const mine = this.#told.filter((told) => told.partition === partition)
    for (const { value, told } of mine) {
      if (told.kind === 'not stored' && copies.has(value)) this.complaints.push(`${value} was called not stored, and is`)
      if (told.kind === 'stored' && stored[Number(told.position.offset)] !== value) this.complaints.push(`${value} was said to be at ${partition}/${told.position.offset}, where ${stored[Number(told.position.offset)]} is`)
    }
    const order = mine.filter(({ told }) => told.kind === 'stored').map(({ value }) => Number(value.slice(1)))
    const inLog = stored.map((value) => Number(value.slice(1))).filter((value) => order.includes(value))
    if (inLog.some((value, index) => index > 0 && value < (inLog[index - 1] as number))) this.complaints.push(`partition ${partition} has ${inLog.join(' ')}`)
    const { numberFaults } = this.cluster.logs[partition] ?? { numberFaults: 0 }
    if (numberFaults > 0) this.complaints.push(`${numberFaults} batches of partition ${partition} came under a number that was not the next`)
  }
}

function toldBy(error: unknown, index: number, complain: (complaint: string) => void): Told {
  if (!InfrastructureError.isInstance(error)) complain(`a send failed with ${String(error)}`)
  if (!PartialSendError.isInstance(error)) return { kind: 'not stored' }
  const position = error.stored[index] ?? null
  if (position !== null) return { kind: 'stored', position }
  return { kind: error.unknown.includes(index) ? 'unknown' : 'not stored' }
}
