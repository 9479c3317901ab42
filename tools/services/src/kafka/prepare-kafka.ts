import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePorts } from '../free-ports.ts'
import { installOnce, type Progress } from '../install-once.ts'
import { describeFailure } from '../service-error.ts'
import { renderBrokerProperties } from './broker-properties.ts'
import { findJava } from './find-java.ts'
import { findKafkaJars, KAFKA_VERSION } from './find-jars.ts'
import { formatStorage } from './format-storage.ts'
import { launchBroker } from './launch-broker.ts'
import { type PreparedKafka, TEST_USER } from './prepared-kafka.ts'
import { certificateIn, makeCertificate, PROTOCOLS, type SecuredListener, securitySettings } from './security.ts'

const ARCHIVE = 'classes.jsa'
const WARM_UP_MS = 120_000
const SHUTDOWN_MS = 60_000

/**
 * Finds all that a broker is started with, or brings it: Java, the jars, and what each start would do anew otherwise
 * (the storage's first records, the archive of loaded classes, which halves the time of a start).
 *
 * @throws ServiceError `ERR_SERVICES_MISSING` when this machine can't have it
 */
export async function prepareKafka(progress: Progress = () => {}): Promise<PreparedKafka> {
  const [java, jars] = await Promise.all([findJava(progress), findKafkaJars(progress)])
  const build = createHash('sha256').update(`${java.program} ${java.build} ${jars.fingerprint}`).digest('hex').slice(0, 12)
  const inFolder = (folder: string): PreparedKafka => ({
    java,
    classPath: jars.classPath,
    version: KAFKA_VERSION,
    bootstrap: join(folder, 'bootstrap.checkpoint'),
    certificate: certificateIn(folder),
  })
  const fill = async (draft: string): Promise<void> => {
    progress('preparing Apache Kafka for quick starts')
    await Promise.all([formatOnce(inFolder(draft), draft), makeCertificate(java, draft)])
    await archiveClasses(inFolder(draft), join(draft, ARCHIVE), progress)
  }
  const folder = await installOnce({ name: `kafka-${KAFKA_VERSION}-start-${build}`, progress, fill })
  const archive = join(folder, ARCHIVE)
  return { ...inFolder(folder), ...(existsSync(archive) && { archive }) }
}

/** Leaves the first records of a new cluster in the folder. */
async function formatOnce(kafka: Pick<PreparedKafka, 'java' | 'classPath'>, draft: string): Promise<void> {
  const folder = join(draft, 'format')
  await mkdir(folder)
  try {
    await copyFile(await formatStorage(kafka, folder, [TEST_USER]), join(draft, 'bootstrap.checkpoint'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs a broker once, to keep what it has loaded. It is only for speed: without it all works. */
async function archiveClasses(kafka: PreparedKafka, archive: string, progress: Progress): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'smart-whale-kafka-'))
  try {
    const [plain, controller, tls, sasl, saslTls] = (await findFreePorts(5)) as [number, number, number, number, number]
    const security = securitySettings(Object.keys(PROTOCOLS) as SecuredListener[], [TEST_USER], kafka.certificate)
    const ports = [{ plain, controller, secured: { tls, sasl, saslTls } }]
    await writeFile(join(dataDir, 'server.properties'), renderBrokerProperties({ id: 1, ports, dataDir, settings: {}, security }))
    const broker = await launchBroker(kafka, { id: 1, dataDir, port: plain, heapMegabytes: 512, timeoutMs: WARM_UP_MS, javaOptions: [`-XX:ArchiveClassesAtExit=${archive}`] })
    await broker.end(SHUTDOWN_MS)
  } catch (error) {
    progress(`starts will be slower, without an archive of classes: ${describeFailure(error)}`)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}
