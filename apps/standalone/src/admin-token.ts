import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Where the admin token of a data folder lies. */
export function adminTokenFile(dataDir: string): string {
  return join(dataDir, 'admin.token')
}

/** Writes the admin token. */
export function writeAdminToken(dataDir: string, token: string): Promise<string> {
  return writeToken(adminTokenFile(dataDir), token)
}

/** Writes a token so that only its owner can read it; a reader never sees half of one. */
export async function writeToken(file: string, token: string): Promise<string> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const temporary = `${file}.${process.pid}`
  await writeFile(temporary, `${token}\n`, { mode: 0o600 })
  await chmod(temporary, 0o600)
  await rename(temporary, file)
  return file
}
