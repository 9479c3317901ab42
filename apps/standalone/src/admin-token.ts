import { chmod, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where the admin token of a data folder lies. */
export function adminTokenFile(dataDir: string): string {
  return join(dataDir, 'admin.token')
}

/** Writes the token so that only its owner can read it; a reader never sees half of one. */
export async function writeAdminToken(dataDir: string, token: string): Promise<string> {
  const file = adminTokenFile(dataDir)
  const temporary = `${file}.${process.pid}`
  await writeFile(temporary, `${token}\n`, { mode: 0o600 })
  await chmod(temporary, 0o600)
  await rename(temporary, file)
  return file
}
