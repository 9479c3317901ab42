import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { createLogger } from './index.ts'

/** What this test uses of Fastify, which this package does not depend on: it is taken from where the workspace has it. */
interface App {
  get(path: string, handler: (request: { log: { info(fields: object, message: string): void } }) => Promise<unknown>): void
  inject(request: { url: string; headers?: Record<string, string> }): Promise<{ statusCode: number }>
  close(): Promise<void>
}
const fromMonitoring = createRequire(new URL('../../core-monitoring/package.json', import.meta.url))
const Fastify = fromMonitoring('fastify') as (options: object) => App

describe('as the logger of a Fastify app', () => {
  it('tells requests with their id, and errors, without their secrets', async () => {
    const lines: string[] = []
    const app = Fastify({ loggerInstance: createLogger({ service: 'api', destination: { write: (line) => lines.push(line) } }) })
    app.get('/ok', async (request) => {
      request.log.info({ headers: { authorization: 'Bearer hunter22', cookie: 'sid=hunter22' } }, 'seen')
      return {}
    })
    app.get('/fails', () => Promise.reject(new TypeError('no postgres://u:hunter22@db')))

    await app.inject({ url: '/ok?access_token=hunter22', headers: { authorization: 'Bearer hunter22' } })
    await app.inject({ url: '/fails' })
    await app.close()

    const told = lines.map((line) => JSON.parse(line) as { msg: string; reqId?: string; req?: { url: string }; err?: { type: string; message: string } })
    expect(told.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['incoming request', 'seen', 'request completed', 'no postgres://u:[redacted]@db']))
    expect(told.every(({ reqId }) => reqId !== undefined)).toBe(true)
    expect(told.find(({ req }) => req !== undefined)?.req?.url).toBe('/ok?access_token=[redacted]')
    expect(told.find(({ err }) => err !== undefined)?.err).toMatchObject({ type: 'TypeError', message: 'no postgres://u:[redacted]@db' })
    expect(lines.join()).not.toContain('hunter22')
  })
})
