import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installOnce, type Progress } from '../install-once.ts'
import { ServiceError } from '../service-error.ts'
import { openApt, type Suite } from './private-apt.ts'
import { rehomeLinks } from './rehome-links.ts'
import { wrapPrograms } from './wrap-programs.ts'

export interface PackagesWanted {
  /** Name of the folder in the cache. */
  readonly name: string
  readonly suite: Suite
  readonly packages: readonly string[]
  /** Folders of programs that are run by the packages' own loader, from their root. Without any, the host's is what runs them. */
  readonly programs: readonly string[]
  readonly progress?: Progress | undefined
}

/** Raised when folders that were filled before shall be filled anew. */
const LAYOUT = 2

/** What only the scripts want that install a package on a host, or what is optional and large. */
const LEFT_OUT = /^lib.*-perl$|^libperl|^libdebconf|^libproc2|^libsemanage|^libsepol|^libgdbm|^libdb5|^libpam-|^libllvm|^libz3|^libc-l10n/i
const NEVER = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/lintian', 'usr/share/info'].map((folder) => `--exclude=./${folder}`)
const UNUSED = ['*/bitcode', '*/pgxs', 'llvmjit*'].map((pattern) => `--exclude=${pattern}`)

/**
 * Unpacks Debian's packages, with the libraries that they need and a loader of their own, into a folder of the cache: no
 * root, and nothing of the host is touched or needed. The programs there are started like any other.
 */
export function unpackPackages({ name, suite, packages, programs, progress = () => {} }: PackagesWanted): Promise<string> {
  const fill = async (root: string): Promise<void> => {
    progress(`bringing ${packages.join(', ')} of Debian ${suite}`)
    const state = await mkdtemp(join(tmpdir(), 'smart-whale-apt-'))
    try {
      const apt = await openApt(suite, state)
      const all = await apt.resolve([...packages, 'libc6'])
      const needed = all.filter((found) => packages.includes(found) || isNeeded(found))
      // A loader and its C library belong together: both are ours, or both the host's.
      await apt.download(needed.filter((found) => programs.length > 0 || found !== 'libc6'), join(state, 'cache'))
      const files = (await readdir(join(state, 'cache'))).filter((file) => file.endsWith('.deb'))
      for (const file of files) await unpack(join(state, 'cache', file), root)
      await rehomeLinks(root)
      for (const folder of programs) await wrapPrograms(root, folder)
    } finally {
      await rm(state, { recursive: true, force: true })
    }
  }
  return installOnce({ name: `${name}-${LAYOUT}`, progress, fill })
}

/** Of what a package depends on, the libraries are what its programs are run with. */
function isNeeded(name: string): boolean {
  return (name.startsWith('lib') || name === 'zlib1g') && !LEFT_OUT.test(name)
}

function unpack(file: string, root: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new ServiceError(`${file} can't be unpacked: ${why}`, { code: 'ERR_SERVICES_DOWNLOAD', remedy: 'try again; see whether the disk is full' }))
    const reader = spawn('dpkg-deb', ['--fsys-tarfile', file], { stdio: ['ignore', 'pipe', 'ignore'] })
    const writer = spawn('tar', ['-x', '-C', root, '--no-same-owner', '--keep-directory-symlink', ...NEVER, ...UNUSED], { stdio: [reader.stdout, 'ignore', 'pipe'] })
    let words = ''
    writer.stderr.on('data', (chunk) => (words += String(chunk)))
    for (const child of [reader, writer]) child.once('error', (error) => fail(error.message))
    writer.once('close', (code) => (code === 0 ? resolve() : fail(words.trim())))
  })
}
