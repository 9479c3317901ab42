import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HELP as API_HELP, readConfig as readApiConfig } from '../../apps/analytics-api/src/config.ts'
import { HELP as INGESTOR_HELP, readConfig as readIngestorConfig } from '../../apps/stream-ingestor/src/config.ts'
import { HELP as STANDALONE_HELP } from '../../apps/standalone/src/config.ts'
import { renderUsersConfig } from '../../packages/clickhouse/src/embedded/server-config.ts'
import { interpolate, readCompose, readVariables, ROOT, type Variables } from './read-stack.ts'

const SECRETS = { POSTGRES_PASSWORD: 'a', CLICKHOUSE_INGESTOR_PASSWORD: 'b', CLICKHOUSE_READER_PASSWORD: 'c' }
const APPS = [
  { name: 'analytics-api', help: API_HELP, readConfig: readApiConfig },
  { name: 'stream-ingestor', help: INGESTOR_HELP, readConfig: readIngestorConfig },
]
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const { services, volumes } = readCompose()

function environmentOf(service: string): Variables {
  return Object.fromEntries(Object.entries(services[service]?.environment ?? {}).map(([name, value]) => [name, interpolate(String(value), SECRETS)]))
}

describe('docker/compose.yaml', () => {
  it.each(APPS)('gives $name an environment that it takes, without a name that it does not know', ({ name, help, readConfig }) => {
    const environment = environmentOf(name)

    expect(() => readConfig(environment)).not.toThrow()
    for (const variable of Object.keys(environment)) expect(help).toMatch(new RegExp(`\\b${variable}\\b`))
  })

  it('asks for every secret, and for nothing that .env.example does not name', () => {
    const text = read('docker/compose.yaml')
    const asked = [...text.matchAll(/\$\{(\w+):\?/g)].map((match) => match[1])
    const used = [...text.matchAll(/\$\{(\w+)/g)].map((match) => match[1] as string).filter((name) => !name.endsWith('_TAG'))

    expect(new Set(asked)).toEqual(new Set(Object.keys(SECRETS)))
    expect(new Set(used)).toEqual(new Set(Object.keys(readVariables('docker/.env.example'))))
    for (const [name, value] of Object.entries(readVariables('docker/.env.example'))) if (name.endsWith('PASSWORD')) expect(value, name).toBe('')
  })

  it('mounts files that are there, the keys apart, and volumes that it declares', () => {
    const mounts = Object.values(services).flatMap((service) => service.volumes ?? [])
    for (const mount of mounts) {
      const [source = ''] = mount.split(':')
      if (!source.startsWith('.')) expect(Object.keys(volumes)).toContain(source)
      else if (!source.startsWith('./keys/')) expect(existsSync(join(ROOT, 'docker', source)), source).toBe(true)
    }
  })

  it('serves on the loopback address alone, at the port that the app listens on', () => {
    for (const { name } of APPS) {
      const port = environmentOf(name)['PORT']
      expect(services[name]?.ports).toEqual([`127.0.0.1:${port}:${port}`])
    }
    expect(services['analytics-api']?.environment?.['INGESTOR_URL']).toBe(`http://stream-ingestor:${environmentOf('stream-ingestor')['PORT']}`)
  })

  it('lets the API ask as the reader, and the ingestor write as another', () => {
    expect(environmentOf('analytics-api')).toMatchObject({ CLICKHOUSE_USER: 'reader', CLICKHOUSE_PASSWORD: SECRETS.CLICKHOUSE_READER_PASSWORD })
    expect(environmentOf('stream-ingestor')).toMatchObject({ CLICKHOUSE_USER: 'ingestor', CLICKHOUSE_PASSWORD: SECRETS.CLICKHOUSE_INGESTOR_PASSWORD })
  })
})

describe('docker/Dockerfile', () => {
  it('pins what the workspace pins', () => {
    const manifest = JSON.parse(read('package.json')) as { packageManager: string; toolchain: { node: string } }

    expect(read('docker/Dockerfile')).toContain(`ARG NODE_VERSION=${manifest.toolchain.node}\n`)
    expect(read('docker/Dockerfile')).toContain(`ARG PNPM_VERSION=${manifest.packageManager.replace('pnpm@', '')}\n`)
  })

  it('is given apps that are there', () => {
    for (const { name } of APPS) {
      expect(services[name]?.build?.args).toMatchObject({ APP: name })
      expect(existsSync(join(ROOT, 'apps', name, 'src/main.ts'))).toBe(true)
    }
  })
})

describe('docker/clickhouse/users.d', () => {
  it('limits the reader as the embedded server does', () => {
    const reader = renderUsersConfig([{ username: 'reader', password: 'x', access: { databases: ['smart_whale'], readOnly: true, limits: {} } }])
    const settings = /<profile_of_reader>(.*)<\/profile_of_reader>/.exec(reader)?.[1]?.match(/<\w+>[^<]*<\/\w+>/g) ?? []

    const profile = /<reader>\s*<readonly>[\s\S]*?<\/reader>/.exec(read('docker/clickhouse/users.d/smart-whale.xml'))?.[0] ?? ''
    expect(settings.length).toBeGreaterThan(10)
    expect(profile.match(/<\w+>[^<\s]*<\/\w+>/g)).toEqual(settings)
  })
})

describe('.env.example', () => {
  it.each(APPS)('of $name holds a configuration that it takes, with every variable that it knows', ({ name, help, readConfig }) => {
    const file = `apps/${name}/.env.example`
    // What names a file that nobody has yet is there as a comment.
    const named = [...read(file).matchAll(/^(?:# )?([A-Z_]+)=/gm)].map((match) => match[1])

    expect(() => readConfig(readVariables(file))).not.toThrow()
    const known = [...help.matchAll(/\b[A-Z]+_[A-Z_]+\b|\bPORT\b|\bHOST\b|\bTABLES\b/g)].map((match) => match[0])
    expect(new Set(named)).toEqual(new Set(known))
  })

  it('of the standalone names variables that its help explains', () => {
    for (const name of Object.keys(readVariables('apps/standalone/.env.example'))) expect(STANDALONE_HELP).toContain(name)
  })
})
