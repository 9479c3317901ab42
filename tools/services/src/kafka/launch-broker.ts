import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { lastLines, type OwnedProcess, spawnOwned } from '../owned-process.ts'
import { ServiceError } from '../service-error.ts'
import { prepareStorage } from './format-storage.ts'
import { fetchMetadata } from './kafka-wire.ts'
import type { PreparedKafka } from './prepared-kafka.ts'

const POLL_MS = 50
const LOGGING = fileURLToPath(new URL('./log4j2.xml', import.meta.url))

/** How one broker is started. Its `server.properties` lies in `dataDir` already. */
export interface BrokerLaunch {
  readonly id: number
  readonly dataDir: string
  /** Its plain listener. */
  readonly port: number
  readonly heapMegabytes: number
  /** Whether the heap has its size from the beginning, as with Kafka's own start script: one that grows is collected over and over on the way. @default false */
  readonly isHeapFixed?: boolean | undefined
  /** Whether it is compiled quickly rather than well: in its first minute a broker spends half of its time on compiling. @default false */
  readonly isShortLived?: boolean | undefined
  readonly timeoutMs: number
  readonly javaOptions?: readonly string[] | undefined
}

/** Starts a broker and waits until it counts itself among the brokers that are alive. @throws ServiceError with the end of its log */
export async function launchBroker(kafka: PreparedKafka, launch: BrokerLaunch): Promise<OwnedProcess> {
  const { id, dataDir, port, timeoutMs } = launch
  await prepareStorage(dataDir, id, kafka.bootstrap)
  const logFile = join(dataDir, 'broker.log')
  const broker = await spawnOwned({ command: kafka.java.program, args: javaArguments(kafka, launch), logFile, cwd: dataDir, env: kafka.java.env })
  const deadline = Date.now() + timeoutMs
  for (;;) {
    if (broker.hasEnded()) {
      throw new ServiceError(`Kafka's node ${id} ended while it started:\n${await lastLines(logFile)}`, { code: 'ERR_SERVICES_START_FAILED', remedy: `see ${logFile}` })
    }
    const metadata = await fetchMetadata(`127.0.0.1:${port}`).catch(() => undefined)
    if (metadata?.brokers.some((alive) => alive.id === id && alive.port > 0)) return broker
    if (Date.now() > deadline) {
      await broker.end(0)
      throw new ServiceError(`Kafka's node ${id} was not ready after ${timeoutMs} ms:\n${await lastLines(logFile)}`, { code: 'ERR_SERVICES_START_TIMEOUT', remedy: `see ${logFile}` })
    }
    await sleep(POLL_MS)
  }
}

function javaArguments({ classPath, archive }: PreparedKafka, { dataDir, heapMegabytes, isHeapFixed = false, isShortLived = false, javaOptions = [] }: BrokerLaunch): string[] {
  return [
    `-Xmx${heapMegabytes}m`,
    `-Xms${isHeapFixed ? heapMegabytes : 64}m`,
    ...(isShortLived ? ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'] : ['-XX:+UseG1GC']),
    ...(archive === undefined ? [] : [`-XX:SharedArchiveFile=${archive}`, '-Xshare:auto']),
    ...javaOptions,
    `-Dlog4j2.configurationFile=file:${LOGGING}`,
    '-Djava.awt.headless=true',
    '-cp',
    classPath,
    'kafka.Kafka',
    join(dataDir, 'server.properties'),
  ]
}
