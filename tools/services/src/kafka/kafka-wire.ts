// As much of Kafka's protocol as it takes to see whether a cluster is whole: one Metadata request.
import { connect } from 'node:net'
import { ServiceError } from '../service-error.ts'

/** What a broker knows about its cluster. */
export interface ClusterMetadata {
  /** Brokers that are alive, as the asked one sees it. */
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[]
  readonly controllerId: number
  readonly partitions: readonly PartitionState[]
}

export interface PartitionState {
  readonly topic: string
  readonly partition: number
  /** -1 while it has none. */
  readonly leader: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

const METADATA = 3
const VERSION = 4
const CLIENT = 'smart-whale-services'

/** Asks the broker at a plain listener (`host:port`) for everything that it knows. @throws ServiceError when it doesn't answer in time */
export function fetchMetadata(address: string, timeoutMs = 2_000): Promise<ClusterMetadata> {
  return new Promise((resolve, reject) => {
    const [host = '', port = ''] = address.split(':')
    const socket = connect({ port: Number(port), host })
    const chunks: Buffer[] = []
    const fail = (why: string): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(new ServiceError(`the broker at ${address} gave no metadata: ${why}`, { code: 'ERR_SERVICES_PROTOCOL', remedy: "look into the broker's log" }))
    }
    const timer = setTimeout(() => fail(`no answer in ${timeoutMs} ms`), timeoutMs)
    socket.on('error', (error) => fail(error.message))
    socket.on('close', () => fail('it closed the connection'))
    socket.on('connect', () => socket.write(metadataRequest()))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      const received = Buffer.concat(chunks)
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      clearTimeout(timer)
      socket.removeAllListeners('close')
      socket.destroy()
      resolve(readMetadata(new Reader(received, 8)))
    })
  })
}

/** Header: size, request, version, correlation, client; body: all topics, and none is to be made. */
function metadataRequest(): Buffer {
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + CLIENT.length + 4 + 1)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(METADATA, 4)
  request.writeInt16BE(VERSION, 6)
  request.writeInt32BE(1, 8)
  request.writeInt16BE(CLIENT.length, 12)
  request.write(CLIENT, 14, 'latin1')
  request.writeInt32BE(-1, 14 + CLIENT.length)
  return request
}

function readMetadata(reader: Reader): ClusterMetadata {
  reader.int32() // throttle time
  const brokers = reader.list(() => {
    const broker = { id: reader.int32(), host: reader.text(), port: reader.int32() }
    reader.text() // rack
    return broker
  })
  reader.text() // cluster
  const controllerId = reader.int32()
  const partitions = reader.list(() => {
    reader.int16() // error: a topic without a leader says so by its partitions
    const topic = reader.text()
    reader.byte() // internal or not
    return reader.list(() => {
      reader.int16()
      const [partition, leader] = [reader.int32(), reader.int32()]
      return { topic, partition, leader, replicas: reader.list(() => reader.int32()), inSync: reader.list(() => reader.int32()) }
    })
  })
  return { brokers, controllerId, partitions: partitions.flat() }
}

class Reader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  byte(): number {
    return this.#bytes.readInt8(this.#advance(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4))
  }

  /** Empty for a missing one: nobody here asks for the difference. */
  text(): string {
    const length = Math.max(this.int16(), 0)
    const from = this.#advance(length)
    return this.#bytes.toString('utf8', from, from + length)
  }

  list<T>(readOne: () => T): T[] {
    return Array.from({ length: Math.max(this.int32(), 0) }, readOne)
  }

  #advance(by: number): number {
    const from = this.#at
    this.#at += by
    return from
  }
}
