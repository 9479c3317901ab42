import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { renderBrokerProperties } from './broker-properties.ts'
import type { PreparedKafka } from './prepared-kafka.ts'
import type { KafkaUser } from './security.ts'

const run = promisify(execFile)
const FORMAT_TIMEOUT_MS = 60_000

/** Any value does: clusters on one machine tell each other apart by their ports. */
const CLUSTER_ID = 'c21hcnQtd2hhbGUtdGVzdA'

/** Lets Kafka's own tool write `log/bootstrap.checkpoint` into a folder: features, and the users that there are from the start. */
export async function formatStorage({ java, classPath }: Pick<PreparedKafka, 'java' | 'classPath'>, folder: string, users: readonly KafkaUser[]): Promise<string> {
  const properties = join(folder, 'format.properties')
  await writeFile(properties, renderBrokerProperties({ id: 1, ports: [{ plain: 1, controller: 2, secured: {} }], dataDir: folder, settings: {}, security: {} }))
  const scram = users.flatMap(({ username, password }) => ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${username},password=${password}]`]))
  const args = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', properties, ...scram]
  await run(java.program, args, { timeout: FORMAT_TIMEOUT_MS, ...(java.env && { env: java.env }) })
  return join(folder, 'log', 'bootstrap.checkpoint')
}

/** Makes a node's storage, unless it is there: what the tool would write, without starting Java for it. */
export async function prepareStorage(dataDir: string, nodeId: number, bootstrap: string): Promise<void> {
  const folder = join(dataDir, 'log')
  const file = join(folder, 'meta.properties')
  if (existsSync(file)) return
  await mkdir(folder, { recursive: true })
  await copyFile(bootstrap, join(folder, 'bootstrap.checkpoint'))
  const directory = randomBytes(16).toString('base64url')
  await writeFile(file, `version=1\ncluster.id=${CLUSTER_ID}\nnode.id=${nodeId}\ndirectory.id=${directory}\n`)
}
