// Does the server behind an address answer as what it is said to be?
import { connect } from 'node:net'
import { fetchMetadata } from './kafka/kafka-wire.ts'
import { askRedis } from './redis/redis-wire.ts'

const TIMEOUT_MS = 2_000

/** Every broker of a list, by metadata from its plain listener. */
export async function doBrokersAnswer(brokers: string): Promise<boolean> {
  return all(brokers.split(','), async (broker) => (await fetchMetadata(broker, TIMEOUT_MS)).brokers.length > 0)
}

/** A PostgreSQL server: it says whether it takes encrypted connections before anybody logs in. */
export async function doesPostgresAnswer(url: string, timeoutMs = TIMEOUT_MS): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port || 5432) })
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(timeoutMs, () => settle(false))
    socket.on('error', () => settle(false))
    socket.on('close', () => settle(false))
    socket.on('connect', () => socket.write(sslRequest))
    socket.on('data', (chunk) => settle(['S', 'N'].includes(chunk.toString('latin1', 0, 1))))
  })
}

/** Every Redis, Valkey or Sentinel of a list of addresses or of URLs. One that wants a password answers too. */
export async function doRedisAnswer(addresses: string): Promise<boolean> {
  return all(addresses.split(','), async (address) => {
    const { hostname, port } = new URL(address.includes('://') ? address : `redis://${address}`)
    const answer = await askRedis(Number(port || 6379), ['PING'], hostname).catch((error: Error) => error.message)
    return answer === 'PONG' || answer.includes('NOAUTH')
  })
}

/** Every server of a list that has an HTTP interface. */
export async function doUrlsAnswer(urls: string, path: string, timeoutMs = TIMEOUT_MS): Promise<boolean> {
  return all(urls.split(','), async (url) => (await fetch(new URL(path, url), { signal: AbortSignal.timeout(timeoutMs) })).ok)
}

/** An S3 server: it answers whoever signs nothing too, with a refusal. */
export async function doesS3Answer(url: string, timeoutMs = TIMEOUT_MS): Promise<boolean> {
  return all([url], async (address) => {
    const answer = await fetch(address, { signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' })
    await answer.body?.cancel()
    return answer.status < 500
  })
}

async function all(addresses: readonly string[], answers: (address: string) => Promise<boolean>): Promise<boolean> {
  const outcomes = await Promise.all(addresses.map((address) => answers(address).catch(() => false)))
  return outcomes.every(Boolean)
}
