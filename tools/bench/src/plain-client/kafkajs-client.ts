import { Kafka, logLevel } from 'kafkajs'

interface PendingRequests {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

/** A variable, because this part of kafkajs has no types. */
const QUEUE_FILE = 'kafkajs/src/network/requestQueue/index.js'

/** A client of kafkajs. After each answer it would set a timer to a time that lies in the past, for requests that wait though none does; Node warns of that. */
export async function kafkaJsClient(brokers: readonly string[]): Promise<Kafka> {
  const { prototype } = ((await import(QUEUE_FILE)) as { readonly default: { readonly prototype: PendingRequests } }).default
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function scheduleForThoseThatWait() {
    if (this.pending.length > 0) schedule.call(this)
  }
  return new Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: logLevel.NOTHING })
}
