import { crc32 } from 'node:zlib'
import { messagingError } from '../errors.ts'
import { mapFileError } from '../map-error.ts'
import { readFileIfThere, writeFileAtomically } from './log/atomic-file.ts'
import type { Durability } from './log/file-segment-bytes.ts'

// One line with the checksum, then the JSON: readable, and a changed byte is found all the same.

/** Replaces a small file of JSON, all or nothing. */
export async function writeCheckedFile(path: string, content: unknown, durability: Durability): Promise<void> {
  const json = JSON.stringify(content)
  try {
    await writeFileAtomically(path, `${checksum(json)}\n${json}\n`, durability)
  } catch (error) {
    throw mapFileError(error, path, 'writing')
  }
}

/** The content of a file that {@link writeCheckedFile} made; undefined when there is none. */
export async function readCheckedFile(path: string): Promise<unknown> {
  const bytes = await readFileIfThere(path).catch((error: unknown) => {
    throw mapFileError(error, path, 'reading')
  })
  if (bytes === undefined) return undefined
  const [sum, json] = bytes.toString('utf8').split('\n')
  if (json === undefined || sum !== checksum(json)) {
    throw messagingError('ERR_MESSAGING_LOG_CORRUPT', `the file ${path} is damaged. Restore it from a backup, or begin with an empty data folder`, {
      context: { path },
    })
  }
  return JSON.parse(json) as unknown
}

const checksum = (json: string): string => crc32(json).toString(16).padStart(8, '0')
