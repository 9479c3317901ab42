import { chmod, mkdir, open, readdir, rename, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ServiceError } from '../service-error.ts'

/** Where the moved programs lie: beside their folder, so that what they look for at `../lib` is still there. */
const REAL = 'real'

const LOADERS: Readonly<Partial<Record<NodeJS.Architecture, { readonly triplet: string; readonly loader: string }>>> = {
  x64: { triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
}

/**
 * Puts a script in each program's place that runs it by the loader and with the libraries of `root`, whatever the host has.
 * The script becomes the program (`exec`), under the name that it was called by.
 */
export async function wrapPrograms(root: string, folder: string): Promise<void> {
  const machine = LOADERS[process.arch]
  if (machine === undefined) throw new ServiceError(`Debian's packages can't be run on ${process.arch}`, { code: 'ERR_SERVICES_MISSING', remedy: 'name a running server in the environment' })
  const libraries = [join('usr/lib', machine.triplet), join('lib', machine.triplet)]
  const loader = await firstThatIs(root, [...libraries, 'lib64', 'usr/lib64'].map((place) => join(place, machine.loader)))
  const up = folder.split('/').map(() => '..').join('/')
  const programs = join(root, folder)
  await mkdir(join(programs, '..', REAL), { recursive: true })
  // All are looked at before any is moved: one may be another's link.
  const found: string[] = []
  for (const name of await readdir(programs)) if (await isProgram(join(programs, name))) found.push(name)
  for (const name of found) await rename(join(programs, name), join(programs, '..', REAL, name))
  for (const name of found) {
    await writeFile(join(programs, name), wrapperOf(name, { up, loader, libraries }))
    await chmod(join(programs, name), 0o755)
  }
}

function wrapperOf(name: string, { up, loader, libraries }: { up: string; loader: string; libraries: readonly string[] }): string {
  const path = libraries.map((folder) => `$root/${folder}`).join(':')
  return [
    '#!/bin/sh',
    'here=$(cd "$(dirname "$0")" && pwd -P)',
    `root=$(cd "$here/${up}" && pwd -P)`,
    `exec "$root/${loader}" --argv0 "$here/${name}" --library-path "${path}" "$here/../${REAL}/${name}" "$@"`,
    '',
  ].join('\n')
}

async function firstThatIs(root: string, places: readonly string[]): Promise<string> {
  for (const place of places) {
    if (await stat(join(root, place)).then(() => true, () => false)) return place
  }
  throw new ServiceError(`no loader ${basename(places[0] as string)} among the packages in ${root}`, { code: 'ERR_SERVICES_START_FAILED', remedy: 'name a running server in the environment' })
}

async function isProgram(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => undefined)
  if (handle === undefined) return false
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    return bytesRead === 4 && buffer.toString('latin1') === '\u007fELF'
  } catch {
    return false // a folder
  } finally {
    await handle.close()
  }
}
