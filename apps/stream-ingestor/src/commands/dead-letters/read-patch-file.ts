import { pathToFileURL } from 'node:url'
import { readGivenFile } from '@smart-whale/app-process'
import { ConfigurationError } from '@smart-whale/interfaces'
import { type DeadLetterPatch, patchFromFields, type PatchFields } from '@smart-whale/messaging/dead-letters'

/**
 * Reads a patch: JSON with `set`, `fill`, `remove` and `rename`, or a module whose default export is a function of event and letter.
 * @throws ConfigurationError naming the file and what is wrong in it
 */
export async function readPatchFile(path: string): Promise<DeadLetterPatch> {
  if (/\.[cm]?[jt]s$/.test(path)) return importPatch(path)
  const text = await readGivenFile('--patch', path)
  try {
    return patchFromFields(JSON.parse(text) as PatchFields)
  } catch (error) {
    throw new ConfigurationError(`the patch ${path} can't be used: ${(error as Error).message}`, { cause: error })
  }
}

async function importPatch(path: string): Promise<DeadLetterPatch> {
  // An import that fails doesn't tell which file is missing: this one, or one that it imports.
  await readGivenFile('--patch', path)
  let patch: unknown
  try {
    patch = ((await import(pathToFileURL(path).href)) as { default?: unknown }).default
  } catch (error) {
    throw new ConfigurationError(`the patch ${path} can't be loaded: ${(error as Error).message}`, { cause: error })
  }
  if (typeof patch === 'function') return patch as DeadLetterPatch
  throw new ConfigurationError(`the patch ${path} must export a function as default: (event, letter) => event`)
}
