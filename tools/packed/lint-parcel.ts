import { readFileSync } from 'node:fs'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { exec } from './exec.ts'
import type { Parcel } from './parcel.ts'

/** What publint finds wrong in the tarball: a file that exports promise and that is not there, a field in the wrong form. */
export async function packagingProblems({ tarball }: Parcel): Promise<string[]> {
  const bytes = new Uint8Array(readFileSync(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer }, level: 'warning', strict: true })
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code)
}

/** What "are the types wrong" finds: types that say ESM where the code is CJS, entry points that an editor cannot resolve. */
export async function typeResolutionProblems({ tarball }: Parcel, cwd: string): Promise<string[]> {
  const ran = await exec('attw', [tarball, '--profile', 'node16', '--format', 'ascii', '--no-color', '--no-emoji'], { cwd })
  return ran.code === 0 ? [] : [ran.output]
}
