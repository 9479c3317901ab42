// Stores a large file in a bucket, or reads it back, and tells how much memory that took: the store's options, what to do, how many MiB.
import { createHash } from 'node:crypto'
import { s3Store, type S3StoreOptions } from '../../src/backup/s3-store.ts'

const [options = '', task = '', mebibytes = '0'] = process.argv.slice(2)
const store = s3Store(JSON.parse(options) as S3StoreOptions)
const PIECE = 256 * 1024

/** Pieces that differ, so that one in the wrong place would show; each in memory of its own, as what comes from a server is. */
async function* pieces(count: number): AsyncIterable<Uint8Array> {
  for (let number = 0; number < count; number++) yield Buffer.alloc(PIECE, `piece ${number} `)
}

async function digestOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const sum = createHash('sha256')
  for await (const chunk of chunks) sum.update(chunk)
  return sum.digest('hex')
}

const count = (Number(mebibytes) * 1024 * 1024) / PIECE
// What any use of it takes: modules, keys, a connection, parts.
await store.write('warm', pieces(80))
await digestOf(store.read('warm'))
const beforeKiB = process.resourceUsage().maxRSS
if (task === 'write') await store.write('large', pieces(count))
const digest = task === 'read' ? await digestOf(store.read('large')) : await digestOf(pieces(count))
process.send?.({ digest, growthMiB: (process.resourceUsage().maxRSS - beforeKiB) / 1024 })
