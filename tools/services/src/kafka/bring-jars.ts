import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Progress } from '../install-once.ts'
import { describeFailure, ServiceError } from '../service-error.ts'
import { fetchJar } from './fetch-jar.ts'
import { findRepository, type MavenRepository } from './maven-settings.ts'
import { fileName, type PinnedJar } from './pinned-jar.ts'

const run = promisify(execFile)
const AT_ONCE = 6
const MAVEN_TIMEOUT_MS = 300_000

/** Where jars may come from, in this order. */
export interface JarSources {
  /** Maven's own folder of files. */
  readonly mavenFolder: string
  /** Maven's command. */
  readonly maven: string
  readonly settingsFile: string
}

const DEFAULT_SOURCES: JarSources = { mavenFolder: join(homedir(), '.m2', 'repository'), maven: 'mvn', settingsFile: join(homedir(), '.m2', 'settings.xml') }

/**
 * Brings the jars into a folder: from Maven's own folder on this machine, else by Maven, else from its repository directly.
 * Whichever way they came, each is the file that is pinned, or none of them is used.
 */
export async function bringJars(jars: readonly PinnedJar[], folder: string, progress: Progress, sources = DEFAULT_SOURCES): Promise<void> {
  let missing = await copyFromMaven(jars, folder, sources.mavenFolder)
  if (missing.length === 0) return
  progress(`bringing ${missing.length} jars of Apache Kafka (${megabytes(missing)} MB)`)
  missing = await askMaven(missing, folder, progress, sources.maven)
  if (missing.length > 0) await fetchAll(missing, folder, await findRepository(sources.settingsFile))
}

/** @returns those that are not there, or not the pinned files */
async function copyFromMaven(jars: readonly PinnedJar[], folder: string, repository: string): Promise<PinnedJar[]> {
  return without(jars, async (jar) => {
    const from = join(repository, ...jar.group.split('.'), jar.artifact, jar.version, fileName(jar))
    if (!(await isPinned(jar, from))) return false
    await copyFile(from, join(folder, fileName(jar)))
    return true
  })
}

/** Maven knows this machine's mirrors, proxies and passwords best. @returns those that it didn't bring */
async function askMaven(jars: readonly PinnedJar[], folder: string, progress: Progress, maven: string): Promise<PinnedJar[]> {
  const hasMaven = await run(maven, ['--version']).then(() => true, () => false)
  if (!hasMaven) return [...jars]
  const draft = await mkdtemp(join(tmpdir(), 'smart-whale-maven-'))
  try {
    await writeFile(join(draft, 'pom.xml'), renderPom(jars))
    await run(maven, ['--batch-mode', '--quiet', 'dependency:copy-dependencies', `-DoutputDirectory=${join(draft, 'jars')}`], { cwd: draft, timeout: MAVEN_TIMEOUT_MS })
    return await without(jars, async (jar) => {
      const from = join(draft, 'jars', fileName(jar))
      if (!(await isPinned(jar, from))) return false
      await copyFile(from, join(folder, fileName(jar)))
      return true
    })
  } catch (error) {
    progress(`Maven did not bring the jars (${describeFailure(error).split('\n')[0]}); asking its repository directly`)
    return [...jars]
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function fetchAll(jars: readonly PinnedJar[], folder: string, repository: MavenRepository): Promise<void> {
  const waiting = [...jars]
  const work = async (): Promise<void> => {
    for (let jar = waiting.shift(); jar !== undefined; jar = waiting.shift()) await fetchOne(jar)
  }
  const fetchOne = async (jar: PinnedJar): Promise<void> => {
    const path = `${jar.group.replaceAll('.', '/')}/${jar.artifact}/${jar.version}/${fileName(jar)}`
    const file = join(folder, fileName(jar))
    await fetchJar(repository, path, file)
    if (await isPinned(jar, file)) return
    throw new ServiceError(`${repository.url}${path} is not the file that is pinned`, { code: 'ERR_SERVICES_DOWNLOAD', remedy: 'see what the repository or a proxy gives instead; nothing of it was used' })
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

/** Each jar by itself, without what it asks for: the list is whole. */
function renderPom(jars: readonly PinnedJar[]): string {
  const exclusions = '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>'
  const dependencies = jars.map(({ group, artifact, version }) => `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${exclusions}</dependency>`)
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>smart-whale</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
${dependencies.join('\n')}
</dependencies>
<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.6.1</version></plugin></plugins></build>
</project>
`
}

async function isPinned(jar: PinnedJar, file: string): Promise<boolean> {
  const bytes = await readFile(file).catch(() => undefined)
  return bytes !== undefined && createHash('sha256').update(bytes).digest('hex') === jar.sha256
}

/** Those for which it didn't work. */
async function without(jars: readonly PinnedJar[], works: (jar: PinnedJar) => Promise<boolean>): Promise<PinnedJar[]> {
  const left: PinnedJar[] = []
  for (const jar of jars) if (!(await works(jar))) left.push(jar)
  return left
}

const megabytes = (jars: readonly PinnedJar[]): number => Math.ceil(jars.reduce((sum, jar) => sum + jar.bytes, 0) / 1e6)
