import { readFile } from 'node:fs/promises'

/** A repository of Maven's layout. */
export interface MavenRepository {
  /** Ends in a slash. */
  readonly url: string
  /** `user:password`, where the settings name them. */
  readonly credentials?: string | undefined
  /** Proxy that the settings name; those of the environment are known to Node.js. */
  readonly proxy?: string | undefined
}

const CENTRAL = 'https://repo.maven.apache.org/maven2/'

/** Where this machine gets Maven Central from: a mirror that Maven's settings name, else Central itself. */
export async function findRepository(settingsFile: string): Promise<MavenRepository> {
  return repositoryOf(await readFile(settingsFile, 'utf8').catch(() => ''))
}

/** Reads what matters here out of a `settings.xml`. */
export function repositoryOf(settings: string): MavenRepository {
  const text = settings.replace(/<!--[\s\S]*?-->/g, '')
  const mirror = sections(text, 'mirror').find((section) => standsForCentral(field(section, 'mirrorOf')))
  const url = mirror && field(mirror, 'url')
  const server = mirror && sections(text, 'server').find((section) => field(section, 'id') === field(mirror, 'id'))
  const proxy = sections(text, 'proxy').find((section) => field(section, 'active') !== 'false')
  return {
    url: url ? url.replace(/\/*$/, '/') : CENTRAL,
    ...(server && { credentials: `${field(server, 'username')}:${field(server, 'password')}` }),
    ...(proxy && { proxy: `${field(proxy, 'protocol') || 'http'}://${field(proxy, 'host')}:${field(proxy, 'port') || '8080'}` }),
  }
}

/** Maven's patterns, as far as they can mean `central`. */
function standsForCentral(pattern: string): boolean {
  const words = pattern.split(',').map((word) => word.trim())
  return !words.includes('!central') && words.some((word) => ['*', 'central', 'external:*'].includes(word))
}

function sections(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`, 'g'))].map((match) => match[1] as string)
}

function field(section: string, name: string): string {
  const value = sections(section, name)[0]?.trim() ?? ''
  return value.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => ({ lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' })[entity] as string)
}
