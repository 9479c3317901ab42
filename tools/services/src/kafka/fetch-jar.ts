import { createWriteStream } from 'node:fs'
import { get as getPlain, Agent as PlainAgent, type IncomingMessage } from 'node:http'
import { get as getSecure, Agent as SecureAgent } from 'node:https'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { getCACertificates } from 'node:tls'
import { describeFailure, ServiceError } from '../service-error.ts'
import type { MavenRepository } from './maven-settings.ts'

const ATTEMPTS = 3
const PAUSE_MS = 500
const SILENT_MS = 30_000
const REDIRECTS = 3

/** Fetches one file of a repository. Proxies of the environment and the system's certificate authorities are honoured. */
export async function fetchJar(repository: MavenRepository, path: string, file: string): Promise<void> {
  const url = new URL(path, repository.url)
  for (let attempt = 1; ; attempt++) {
    try {
      return await pipeline(await request(url, repository, REDIRECTS), createWriteStream(file))
    } catch (cause) {
      const final = attempt === ATTEMPTS || (cause instanceof ServiceError && cause.code === 'ERR_SERVICES_DOWNLOAD')
      if (!final) await sleep(PAUSE_MS * attempt)
      else if (cause instanceof ServiceError) throw cause
      else throw new ServiceError(`${url.href} can't be fetched: ${describeFailure(cause)}`, { code: 'ERR_SERVICES_MISSING', remedy: 'connect to the network once, or name a mirror in ~/.m2/settings.xml', cause })
    }
  }
}

function request(url: URL, repository: MavenRepository, redirectsLeft: number): Promise<IncomingMessage> {
  const proxyEnv = repository.proxy === undefined ? process.env : { HTTPS_PROXY: repository.proxy, HTTP_PROXY: repository.proxy }
  const secure = url.protocol === 'https:'
  const agent = secure ? new SecureAgent({ proxyEnv, ca: [...getCACertificates('default'), ...getCACertificates('system')] }) : new PlainAgent({ proxyEnv })
  // To another host than the settings name, no password goes.
  const auth = url.origin === new URL(repository.url).origin ? repository.credentials : undefined
  return new Promise((resolve, reject) => {
    const sent = (secure ? getSecure : getPlain)(url, { agent, timeout: SILENT_MS, ...(auth && { auth }) }, (answer) => {
      const { statusCode = 0, headers } = answer
      if (statusCode === 200) return resolve(answer)
      answer.resume()
      if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined && redirectsLeft > 0) {
        return resolve(request(new URL(headers.location, url), repository, redirectsLeft - 1))
      }
      reject(new ServiceError(`${url.href} answered ${statusCode}`, { code: statusCode >= 500 ? 'ERR_SERVICES_PROTOCOL' : 'ERR_SERVICES_DOWNLOAD', remedy: 'see whether the repository is the right one (~/.m2/settings.xml)' }))
    })
    sent.on('timeout', () => sent.destroy(new ServiceError(`no answer in ${SILENT_MS} ms`, { code: 'ERR_SERVICES_PROTOCOL', remedy: 'try again' })))
    sent.on('error', reject)
  })
}
