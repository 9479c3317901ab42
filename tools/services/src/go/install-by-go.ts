import { execFile } from 'node:child_process'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installOnce, type Progress } from '../install-once.ts'
import { describeFailure, ServiceError } from '../service-error.ts'

const run = promisify(execFile)

/** A program that Go builds from a module; Go checks it against its public sums. */
export interface GoProgram {
  /** What it is, for people. */
  readonly title: string
  /** Name in the cache. */
  readonly name: string
  /** File name of the program there. */
  readonly program: string
  /** The package that is built. */
  readonly path: string
  /** Its version, without the `v`. */
  readonly version: string
  readonly buildTimeoutMs: number
}

/** A test's server has little to do, and is built by machines that have nothing yet: without optimisations that takes a third less. */
const QUICKLY = ['-trimpath', '-ldflags=-s -w', '-gcflags=all=-N -l']

/** Finds a program in the cache, or lets Go build it. @throws ServiceError `ERR_SERVICES_MISSING` where there is no Go */
export async function installByGo({ title, name, program, path, version, buildTimeoutMs }: GoProgram, progress: Progress = () => {}): Promise<string> {
  const fill = async (folder: string): Promise<void> => {
    await run('go', ['version']).catch((cause: unknown) => {
      throw new ServiceError(`${title} is built by Go, and there is none`, { code: 'ERR_SERVICES_MISSING', remedy: 'install it, for example: sudo apt-get install golang-go', cause })
    })
    progress(`building ${title}`)
    const env = { ...process.env, GOBIN: folder, CGO_ENABLED: '0' }
    await run('go', ['install', ...QUICKLY, `${path}@v${version}`], { env, timeout: buildTimeoutMs }).catch((cause: unknown) => {
      throw new ServiceError(`Go can't build ${title}: ${describeFailure(cause).split('\n').at(-1)}`, { code: 'ERR_SERVICES_MISSING', remedy: 'connect to the network once (GOPROXY)', cause })
    })
    await rename(join(folder, path.slice(path.lastIndexOf('/') + 1)), join(folder, program))
  }
  return join(await installOnce({ name: `${name}-${version}`, progress, fill }), program)
}
