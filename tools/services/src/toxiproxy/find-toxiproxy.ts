import { execFile } from 'node:child_process'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installOnce, type Progress } from '../install-once.ts'
import { describeFailure, ServiceError } from '../service-error.ts'

const run = promisify(execFile)

/** The version that everything here was tried with; Go checks it against its public sums. */
export const TOXIPROXY_VERSION = '2.12.0'
const BUILD_TIMEOUT_MS = 300_000

/** Finds Toxiproxy's program in the cache, or lets Go build it. @throws ServiceError `ERR_SERVICES_MISSING` where there is no Go */
export async function findToxiproxy(progress: Progress = () => {}): Promise<string> {
  const fill = async (folder: string): Promise<void> => {
    await run('go', ['version']).catch((cause: unknown) => {
      throw new ServiceError('Toxiproxy is built by Go, and there is none', { code: 'ERR_SERVICES_MISSING', remedy: 'install it, for example: sudo apt-get install golang-go', cause })
    })
    progress('building Toxiproxy')
    const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' }
    await run('go', ['install', '-trimpath', `github.com/Shopify/toxiproxy/v2/cmd/server@v${TOXIPROXY_VERSION}`], { env, timeout: BUILD_TIMEOUT_MS }).catch((cause: unknown) => {
      throw new ServiceError(`Go can't build Toxiproxy: ${describeFailure(cause).split('\n').at(-1)}`, { code: 'ERR_SERVICES_MISSING', remedy: 'connect to the network once (GOPROXY)', cause })
    })
    await rename(join(folder, 'server'), join(folder, 'toxiproxy-server'))
  }
  return join(await installOnce({ name: `toxiproxy-${TOXIPROXY_VERSION}`, progress, fill }), 'toxiproxy-server')
}
