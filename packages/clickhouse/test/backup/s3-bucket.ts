import { randomBytes } from 'node:crypto'
import { AwsClient } from 'aws4fetch'
import type { BackupStore } from '../../src/index.ts'
import { readWhole } from '../../src/backup/verify-backup.ts'
import { s3Store, type S3StoreOptions } from '../../src/backup/s3-store.ts'
import { type S3Server, startS3 } from '../../../../tools/services/src/index.ts'
import { startOr } from '../../../../tools/services/test/start-or-skip.ts'

/** A bucket of a test's own on a real S3 server. */
export interface TestBucket {
  readonly address: string
  readonly bucket: string
  readonly access: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly region: string }
  /** Where the bucket is a part of the host's name, if the server has such a domain. */
  readonly bucketDomain: string | undefined
  store(options?: Partial<S3StoreOptions>): BackupStore
  /** A signed request to the bucket, or to an object of it. */
  ask(method: string, path: string, body?: Uint8Array<ArrayBuffer>): Promise<Response>
  stop(): Promise<void>
}

/** A bucket on the server that the environment names, else on one of our own; or what this machine lacks for that. */
export async function openBucket(): Promise<{ readonly found: TestBucket | undefined; readonly lack: string }> {
  const { S3_URL, S3_ACCESS_KEY_ID = '', S3_SECRET_ACCESS_KEY = '', S3_REGION = 'us-east-1' } = process.env
  if (S3_URL) return { found: await bucketOn({ address: S3_URL, accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY, region: S3_REGION }, async () => {}), lack: '' }
  const { started, lack } = await startOr(() => startS3())
  return { found: started && (await bucketOn(started, () => started.stop())), lack: `${lack}; or name a running one: S3_URL=http://host:port` }
}

type Place = Pick<S3Server, 'address' | 'accessKeyId' | 'secretAccessKey' | 'region'> & Partial<Pick<S3Server, 'bucketDomain'>>

async function bucketOn({ address, bucketDomain, accessKeyId, secretAccessKey, region }: Place, end: () => Promise<void>): Promise<TestBucket> {
  const access = { accessKeyId, secretAccessKey, region }
  const bucket = `test-${randomBytes(6).toString('hex')}`
  const client = new AwsClient({ ...access, service: 's3', retries: 0 })
  const ask: TestBucket['ask'] = (method, path, body) => client.fetch(`${address}/${bucket}${path}`, { method, ...(body && { body }) })
  const store: TestBucket['store'] = (options = {}) => s3Store({ endpoint: address, bucket, ...access, ...options })
  const made = await ask('PUT', '')
  if (!made.ok) throw new TypeError(`no bucket can be made on ${address}: ${made.status} ${await made.text()}`)
  const stop = async (): Promise<void> => {
    await store().remove('')
    await ask('DELETE', '')
    await end()
  }
  return { address, bucket, access, bucketDomain, store, ask, stop }
}

/** What a file is written from. */
export async function* piecesOf(...pieces: (string | Uint8Array)[]): AsyncIterable<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece as string)
}

/** A whole file. */
export function contentOf(store: BackupStore, name: string): Promise<Buffer> {
  return readWhole(store, name, {})
}
