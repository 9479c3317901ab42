import { describe, expect, it } from 'vitest'
import { repositoryOf } from './maven-settings.ts'

const mirror = (of: string, url = 'https://mirror.example/maven'): string => `<mirrors><mirror><id>m</id><mirrorOf>${of}</mirrorOf><url>${url}</url></mirror></mirrors>`

describe('repositoryOf', () => {
  it('is Maven Central where nothing is set', () => {
    expect(repositoryOf('')).toEqual({ url: 'https://repo.maven.apache.org/maven2/' })
  })

  it.each(['central', '*', 'external:*', 'jboss, central', '*,!other'])('takes a mirror of "%s"', (of) => {
    expect(repositoryOf(mirror(of))).toEqual({ url: 'https://mirror.example/maven/' })
  })

  it.each(['jboss', '*,!central'])('leaves a mirror of "%s" alone', (of) => {
    expect(repositoryOf(mirror(of)).url).toBe('https://repo.maven.apache.org/maven2/')
  })

  it('leaves what is commented out alone', () => {
    expect(repositoryOf(`<!-- ${mirror('*')} -->`).url).toBe('https://repo.maven.apache.org/maven2/')
  })

  it('takes the password of the mirror, and not that of another server', () => {
    const servers = '<servers><server><id>other</id><username>x</username><password>y</password></server><server><id>m</id><username>ann</username><password>a&amp;b</password></server></servers>'

    expect(repositoryOf(servers + mirror('*')).credentials).toBe('ann:a&b')
  })

  it('takes a proxy that is active', () => {
    const proxy = (active: string): string => `<proxies><proxy><active>${active}</active><protocol>http</protocol><host>proxy.example</host><port>3128</port></proxy></proxies>`

    expect(repositoryOf(proxy('true')).proxy).toBe('http://proxy.example:3128')
    expect(repositoryOf(proxy('false')).proxy).toBeUndefined()
  })
})
