import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bringJars, type JarSources } from './bring-jars.ts'
import type { PinnedJar } from './pinned-jar.ts'

const jar = (artifact: string): PinnedJar => ({ group: 'org.example.kit', artifact, version: '1.2', bytes: 4, sha256: createHash('sha256').update(`the ${artifact}`).digest('hex') })
const JARS = [jar('one'), jar('two')]
const PATHS = { one: '/maven/org/example/kit/one/1.2/one-1.2.jar', two: '/maven/org/example/kit/two/1.2/two-1.2.jar' }

describe('bringJars', () => {
  let folder: string
  let target: string
  let sources: JarSources
  let server: Server
  let asked: string[]
  /** What the repository gives: a text, or a status. */
  let answers: Record<string, (string | number)[]>

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'smart-whale-jars-'))
    target = join(folder, 'target')
    mkdirSync(target)
    asked = []
    answers = { [PATHS.one]: ['the one'], [PATHS.two]: ['the two'] }
    server = createServer((request, response) => {
      const path = request.url as string
      asked.push(`${path}${request.headers.authorization === undefined ? '' : ' with a password'}`)
      const answer = answers[path]?.shift() ?? 404
      if (typeof answer === 'string' && answer.startsWith('/')) response.writeHead(302, { location: answer }).end()
      else if (typeof answer === 'string') response.end(answer)
      else response.writeHead(answer).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/maven`
    const settings = `<servers><server><id>m</id><username>ann</username><password>secret</password></server></servers><mirrors><mirror><id>m</id><mirrorOf>central</mirrorOf><url>${url}</url></mirror></mirrors>`
    sources = { mavenFolder: join(folder, 'm2'), maven: join(folder, 'no-such-maven'), settingsFile: join(folder, 'settings.xml') }
    writeFileSync(sources.settingsFile, settings)
  })
  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true })
  })
  const bring = (): Promise<void> => bringJars(JARS, target, () => {}, sources)
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }

  it('fetches from the mirror of the settings, with its password', async () => {
    await bring()

    expect(readFileSync(join(target, 'one-1.2.jar'), 'utf8')).toBe('the one')
    expect(readFileSync(join(target, 'two-1.2.jar'), 'utf8')).toBe('the two')
    expect(asked.sort()).toEqual([`${PATHS.one} with a password`, `${PATHS.two} with a password`])
  })

  it('asks nobody for what Maven has on this machine', async () => {
    for (const name of ['one', 'two']) put(join(sources.mavenFolder, `org/example/kit/${name}/1.2/${name}-1.2.jar`), `the ${name}`)

    await bring()

    expect(readdirSync(target)).toHaveLength(2)
    expect(asked).toEqual([])
  })

  it('fetches what Maven has in another shape', async () => {
    put(join(sources.mavenFolder, 'org/example/kit/one/1.2/one-1.2.jar'), 'another one')

    await bring()

    expect(readFileSync(join(target, 'one-1.2.jar'), 'utf8')).toBe('the one')
  })

  it('refuses a file that is not the pinned one, by its address', async () => {
    answers[PATHS.two] = ['a forged two']

    await expect(bring()).rejects.toMatchObject({ code: 'ERR_SERVICES_DOWNLOAD', message: expect.stringContaining(`${PATHS.two} is not the file that is pinned`) as string })
  })

  it('tries again when the repository stumbles', async () => {
    answers[PATHS.one] = [503, 'the one']

    await bring()

    expect(readFileSync(join(target, 'one-1.2.jar'), 'utf8')).toBe('the one')
  })

  it('follows where the repository points to', async () => {
    answers[PATHS.one] = ['/store/one']
    answers['/store/one'] = ['the one']

    await bring()

    expect(readFileSync(join(target, 'one-1.2.jar'), 'utf8')).toBe('the one')
  })

  it('says at once which file the repository does not have', async () => {
    answers[PATHS.one] = [404]

    await expect(bring()).rejects.toMatchObject({ code: 'ERR_SERVICES_DOWNLOAD', message: expect.stringContaining(`${PATHS.one} answered 404`) as string })
    expect(asked.filter((path) => path.startsWith(PATHS.one))).toHaveLength(1)
  })

  it('asks the repository itself when Maven fails, and says so', async () => {
    sources = { ...sources, maven: 'false' }
    const lines: string[] = []

    await bringJars(JARS, target, (line) => lines.push(line), sources)

    expect(readdirSync(target)).toHaveLength(2)
    expect(lines[0]).toBe('bringing 2 jars of Apache Kafka (1 MB)')
  })
})
