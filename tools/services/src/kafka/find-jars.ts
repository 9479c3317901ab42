import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { installOnce, type Progress } from '../install-once.ts'
import { bringJars } from './bring-jars.ts'
import { fileName, type PinnedJar } from './pinned-jar.ts'

/** Where the jars lie, in the order of the class path: an archive of classes is bound to that order. */
export interface KafkaJars {
  readonly version: string
  readonly folder: string
  readonly classPath: string
  /** Tells this very set of jars from any other. */
  readonly fingerprint: string
}

/** The version that everything here was tried with. */
export const KAFKA_VERSION = '4.3.1'

/** Finds Apache Kafka's jars in the cache, or brings them there. */
export async function findKafkaJars(progress: Progress): Promise<KafkaJars> {
  const list = await readFile(new URL('./kafka-jars.json', import.meta.url), 'utf8')
  const jars = JSON.parse(list) as PinnedJar[]
  const fingerprint = createHash('sha256').update(list).digest('hex').slice(0, 12)
  const folder = await installOnce({ name: `kafka-${KAFKA_VERSION}-${fingerprint}`, progress, fill: (draft) => bringJars(jars, draft, progress) })
  return { version: KAFKA_VERSION, folder, fingerprint, classPath: jars.map((jar) => join(folder, fileName(jar))).join(':') }
}
