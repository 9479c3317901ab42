import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { createRetry } from '@smart-whale/core-resilience'
import { type Encryptor, InfrastructureError, type MetricsSink } from '@smart-whale/interfaces'
import { KafkaService } from '../../src/kafka-service.ts'
import { modelTopicName } from '../../src/model-topic.ts'
import type { KafkaServiceOptions } from '../../src/service-options.ts'
import type { MessagingTransport } from '../../src/transport.ts'

/** What the suite runs against. */
export interface ServiceSubject {
  /**
   * A new client of the broker; the suite's services start and stop them. `crash` ends it as the end of its process would. Of one that is
   * to crash the broker knows soon that it is gone; any other may be slow and isn't taken for dead.
   */
  transport(options?: { readonly isToCrash?: boolean }): MessagingTransport & { crash(): void }
}

/** One thing that the service must do on every transport. */
export interface ServiceCase {
  readonly name: string
  run(bench: ServiceBench): Promise<void>
}

/** Services of one case, on a broker that others may use too. */
export class ServiceBench {
  readonly #subject: ServiceSubject
  readonly #services: KafkaService[] = []
  readonly #transportOf = new Map<KafkaService, { crash(): void }>()
  readonly #transports: MessagingTransport[] = []
  /** What topics of this bench begin with. */
  readonly #names: string[] = []

  constructor(subject: ServiceSubject) {
    this.#subject = subject
  }

  /** A connected service of its own. */
  async service(options: KafkaServiceOptions = {}, life: { readonly isToCrash?: boolean } = {}): Promise<KafkaService> {
    const transport = this.#subject.transport(life)
    const service = new KafkaService(transport, { retry: quick, ...options })
    this.#services.push(service)
    this.#transportOf.set(service, transport)
    await service.connect()
    return service
  }

  /** Ends a service as the end of its process would: what it still does has no effect. */
  crash(service: KafkaService): void {
    this.#transportOf.get(service)?.crash()
  }

  /** A started client of its own. */
  async client(): Promise<MessagingTransport> {
    const transport = this.#subject.transport()
    this.#transports.push(transport)
    await transport.start()
    return transport
  }

  /** A topic of the case's own. */
  async topic(partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const name = `service.${randomUUID()}`
    const client = await this.client()
    assert.equal(await client.topics.create(name, { partitions, configs }), true)
    this.#names.push(name)
    return name
  }

  /** A model of the case's own. */
  model(): string {
    const id = `m-${randomUUID()}`
    this.#names.push(modelTopicName(id))
    return id
  }

  /** Nothing is left: no member, no client, no topic. */
  async end(): Promise<void> {
    for (const service of this.#services) await service.disconnect()
    const client = await this.client()
    const own = (await client.topics.list()).filter((topic) => this.#names.some((name) => topic === name || topic.startsWith(`${name}.`)))
    await Promise.all(own.map((topic) => client.topics.delete(topic)))
    for (const transport of this.#transports) await transport.stop()
  }
}

/** Three attempts at once. */
export const quick = createRetry({ maxAttempts: 3, baseDelayMs: 1, budget: false, isRetryable: (error) => !InfrastructureError.isInstance(error) || error.retryable })

/** AES-256-GCM bound to its context, as a caller's own encryptor may be. */
export function aes(key = randomBytes(32)): Encryptor {
  const aad = (context: object | undefined): Buffer => Buffer.from(JSON.stringify(context))
  return {
    encrypt: async (plaintext, context) => {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad(context))
      return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    },
    decrypt: async (ciphertext, context) => {
      const bytes = Buffer.from(ciphertext)
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(aad(context)).setAuthTag(bytes.subarray(-16))
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    },
  }
}

/** Metrics that can be read: the sum of each counter and the last value of each gauge, by name and labels. */
export function readableMetrics(): { sink: MetricsSink; value(name: string, labels?: object): number | undefined } {
  const values = new Map<string, number>()
  const nameOf = (name: string, labels: object = {}): string => `${name} ${JSON.stringify(Object.entries(labels).sort())}`
  const sink: MetricsSink = {
    counter: ({ name }) => ({ inc: (labels, by = 1) => void values.set(nameOf(name, labels), (values.get(nameOf(name, labels)) ?? 0) + by) }),
    gauge: ({ name }) => ({ set: (labels, value) => void values.set(nameOf(name, labels), value) }),
    histogram: ({ name }) => ({ observe: (labels) => void values.set(nameOf(name, labels), (values.get(nameOf(name, labels)) ?? 0) + 1) }),
  }
  return { sink, value: (name, labels) => values.get(nameOf(name, labels)) }
}

export interface PlainLetter {
  readonly key: string | null
  readonly value: Uint8Array | null
  readonly headers: Readonly<Record<string, string>>
}

/** Everything in a topic, with its headers as texts. */
export async function lettersOf(client: MessagingTransport, topic: string): Promise<PlainLetter[]> {
  const letters: PlainLetter[] = []
  const partitions = (await client.topics.describe(topic))?.partitions ?? 0
  for (let partition = 0; partition < partitions; partition++) {
    const reader = await client.openPartition(topic, partition)
    const { latest } = await reader.bounds()
    for (let next = 0n; next < latest; ) {
      const batch = await reader.read({ maxBytes: 1e6, maxRecords: 100, maxWaitMs: 2_000 })
      for (let index = 0; index < batch.length; index++) {
        const key = batch.keyAt(index)
        const headers = Object.entries(batch.headersAt(index)).map(([name, bytes]) => [name, Buffer.from(bytes).toString()])
        letters.push({ key: key === null ? null : Buffer.from(key).toString(), value: batch.valueAt(index), headers: Object.fromEntries(headers) })
      }
      next = batch.nextOffset
    }
    await reader.close()
  }
  return letters
}
