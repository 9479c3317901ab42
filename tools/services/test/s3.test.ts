import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { findProcess } from '../../toolchain/process-table.mjs'
import { doesS3Answer } from '../src/does-answer.ts'
import { type S3Server, startS3 } from '../src/index.ts'
import { fromEnvironment, SERVICES } from '../src/service-catalogue.ts'
import { startOr } from './start-or-skip.ts'

const foldersOfServers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('smart-whale-s3-'))

describe('startS3', () => {
  let s3: S3Server | undefined
  let lack = ''
  beforeAll(async () => void ({ started: s3, lack } = await startOr(() => startS3())), 660_000)
  afterAll(() => s3?.stop())
  const serverOf = (context: TestContext): S3Server => s3 ?? context.skip(`needs an S3 server: ${lack}`)

  it('refuses who does not sign', async (context) => {
    const { address } = serverOf(context)

    const answer = await fetch(`${address}/some-bucket`, { method: 'PUT' })

    expect({ status: answer.status, body: await answer.text() }).toEqual({ status: 403, body: expect.stringContaining('<Code>AccessDenied</Code>') as string })
  })

  it('comes again at its address after a kill', async (context) => {
    const server = serverOf(context)

    await server.kill()
    const whileDown = await doesS3Answer(server.address)
    await server.restart()

    expect([whileDown, await doesS3Answer(server.address)]).toEqual([false, true])
  })

  it('leaves no process and no folder', async (context) => {
    serverOf(context)
    const before = foldersOfServers()
    const other = await startS3()
    const { pids } = other

    await other.stop()

    expect(pids).not.toEqual([])
    expect(pids.filter((pid) => findProcess(pid) !== undefined)).toEqual([])
    expect(foldersOfServers().filter((name) => !before.includes(name))).toEqual([])
  })

  it('is not started where the environment names one', () => {
    const service = SERVICES.find(({ name }) => name === 's3')

    expect(service && fromEnvironment(service, { S3_URL: 'https://s3.example', S3_REGION: 'eu-1' })).toEqual({ S3_URL: 'https://s3.example', S3_REGION: 'eu-1' })
  })
})
