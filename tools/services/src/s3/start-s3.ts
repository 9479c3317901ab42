import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDataFolder } from '../data-folder.ts'
import { doesS3Answer } from '../does-answer.ts'
import { findFreePort } from '../free-ports.ts'
import type { Progress } from '../install-once.ts'
import { type ManagedServer, manageServer, type ServerLife } from '../managed-server.ts'
import { lastLines, spawnOwned } from '../owned-process.ts'
import { ServiceError } from '../service-error.ts'
import { findVersityGateway } from './find-versitygw.ts'

const READY_MS = 10_000
const POLL_MS = 20
const SHUTDOWN_MS = 2_000

/** An S3 server and who may use it; buckets are made by its clients. It wants every request signed, and checks the signature. */
export interface S3Server extends ManagedServer {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  /** Domain under which a bucket is the first part of the host name, with the port; by the address, it is the first part of the path. */
  readonly bucketDomain: string
}

/** Starts an S3 server on this machine, with objects as files of a folder. It ends with this process, however that ends. */
export async function startS3({ progress }: { readonly progress?: Progress | undefined } = {}): Promise<S3Server> {
  const program = await findVersityGateway(progress)
  const folder = await openDataFolder(undefined, 's3')
  const [objects, attributes] = [join(folder.path, 'objects'), join(folder.path, 'attributes')]
  await Promise.all([mkdir(objects), mkdir(attributes)])
  const port = await findFreePort()
  const address = `http://127.0.0.1:${port}`
  const bucketDomain = `s3.localhost:${port}`
  const access = { accessKeyId: `AK${randomBytes(9).toString('hex').toUpperCase()}`, secretAccessKey: randomBytes(24).toString('base64url'), region: 'us-east-1' }
  const env = { ...process.env, ROOT_ACCESS_KEY_ID: access.accessKeyId, ROOT_SECRET_ACCESS_KEY: access.secretAccessKey }
  // Attributes beside the objects: not every file system keeps them with the files.
  const args = ['--port', `127.0.0.1:${port}`, '--region', access.region, '--virtual-domain', bucketDomain, '--keep-alive', '--quiet', 'posix', '--sidecar', attributes, objects]
  const logFile = join(folder.path, 's3.log')
  const start = async (): Promise<ServerLife> => {
    const server = await spawnOwned({ command: program, args, env, logFile })
    const deadline = Date.now() + READY_MS
    while (!(await doesS3Answer(address))) {
      if (server.hasEnded() || Date.now() > deadline) {
        await server.end(0)
        throw new ServiceError(`the S3 server did not get ready:\n${await lastLines(logFile)}`, { code: 'ERR_SERVICES_START_FAILED', remedy: 'see whether its port is free' })
      }
      await sleep(POLL_MS)
    }
    return { pid: server.pid, exited: server.exited, end: () => server.end(SHUTDOWN_MS) }
  }
  return Object.assign(manageServer({ address, first: await start(), start, cleanUp: () => folder.remove() }), { ...access, bucketDomain })
}
