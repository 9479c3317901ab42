import { mkdirSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isReachable } from '../../../packages/timescaledb/src/embedded/server-account.ts'

const NOBODY = { uid: 65534, gid: 65534 }
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * Git-ignored folder of this checkout: what is running, and what was unpacked.
 *
 * @param wished `SMART_WHALE_SERVICES_FOLDER`, for services apart from those of the checkout
 */
export function servicesFolder(wished = process.env.SMART_WHALE_SERVICES_FOLDER): string {
  const folder = wished ? resolve(wished) : join(ROOT, '.services')
  mkdirSync(folder, { recursive: true })
  return folder
}

/**
 * Where what is downloaded and unpacked is kept between runs. Servers that refuse to run as root run under another
 * account then, which must be able to walk there: a checkout below `/root` keeps its packages in `/var/cache` instead.
 *
 * @param wished `SMART_WHALE_SERVICES_CACHE`, for a folder that several checkouts or CI runs share
 */
export async function cacheFolder(wished = process.env.SMART_WHALE_SERVICES_CACHE): Promise<string> {
  if (wished) return makeFolder(resolve(wished))
  const own = await makeFolder(join(servicesFolder(), 'cache'))
  if (process.getuid?.() !== 0 || (await isReachable(own, NOBODY))) return own
  return makeFolder('/var/cache/smart-whale/services')
}

async function makeFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o755 })
  return folder
}
