import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unpackPackages } from '../debian/unpack-packages.ts'
import type { Progress } from '../install-once.ts'
import { describeFailure, ServiceError } from '../service-error.ts'

const run = promisify(execFile)

/** A Java runtime that Kafka runs on. */
export interface Java {
  readonly program: string
  /** Tells its build from any other: what one has compiled ahead, another can't use. */
  readonly build: string
  /** What it needs to be started with. */
  readonly env?: NodeJS.ProcessEnv | undefined
}

const OLDEST = 17

/** The host's Java 17 or newer: of `JAVA_HOME`, or on the path. */
export async function findHostJava({ JAVA_HOME } = process.env as { JAVA_HOME?: string | undefined }): Promise<Java | undefined> {
  const programs = [...(JAVA_HOME ? [join(JAVA_HOME, 'bin', 'java')] : []), 'java']
  for (const program of programs) {
    const java = await tryJava(program)
    if (java !== undefined) return java
  }
  return undefined
}

/** Says which Java a program is, if it runs at all and is new enough. */
export async function tryJava(program: string, env?: NodeJS.ProcessEnv): Promise<Java | undefined> {
  const settings = await run(program, ['-XshowSettings:properties', '-version'], { timeout: 20_000, ...(env && { env }) }).then(
    ({ stderr }) => stderr,
    () => '',
  )
  const build = /java\.vm\.version = (\S+)/.exec(settings)?.[1]
  const major = /java\.specification\.version = (?:1\.)?(\d+)/.exec(settings)?.[1]
  if (build === undefined || Number(major) < OLDEST) return undefined
  return { program, build, env }
}

/** The Java to run Kafka with: the host's, else Debian's, unpacked beside. @throws ServiceError `ERR_SERVICES_MISSING` naming what would bring one */
export async function findJava(progress: Progress): Promise<Java> {
  const java = (await findHostJava()) ?? (await unpackedJava(progress))
  if (java !== undefined) return java
  throw new ServiceError(`Apache Kafka needs Java ${OLDEST} or newer, and there is none that runs here`, { code: 'ERR_SERVICES_MISSING', remedy: REMEDY })
}

const REMEDY = 'install one, for example: sudo apt-get install openjdk-17-jre-headless'

/** Debian's Java, unpacked into the cache. */
export async function unpackedJava(progress: Progress): Promise<Java | undefined> {
  const programs = `usr/lib/jvm/java-17-openjdk-${process.arch === 'x64' ? 'amd64' : process.arch}/bin`
  const root = await unpackPackages({ name: 'java-17-bookworm', suite: 'bookworm', packages: ['openjdk-17-jre-headless'], programs: [programs], progress }).catch((cause: unknown) => {
    throw new ServiceError(`Apache Kafka needs Java ${OLDEST} or newer, and there is none: ${describeFailure(cause)}`, { code: 'ERR_SERVICES_MISSING', remedy: REMEDY, cause })
  })
  return tryJava(join(root, programs, 'java'))
}
