import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { ConfigurationError } from '@smart-whale/interfaces'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
}

/** Reads a text file that a variable or an option names. @throws ConfigurationError naming both, and why it can't be read */
export async function readGivenFile(givenBy: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(givenBy, path, error)
  }
}

/** The same at once. @throws ConfigurationError */
export function readGivenFileSync(givenBy: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw unreadable(givenBy, path, error)
  }
}

function unreadable(givenBy: string, path: string, error: unknown): ConfigurationError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  const where = isAbsolute(path) ? '' : `, seen from ${process.cwd()}`
  return new ConfigurationError(`${givenBy}: ${path} can't be read: ${REASONS[code] ?? code}${where}`, { cause: error })
}
