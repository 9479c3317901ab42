import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { unpackPackages } from '../debian/unpack-packages.ts'
import { installOnce, type Progress } from '../install-once.ts'
import { describeFailure, ServiceError } from '../service-error.ts'

const run = promisify(execFile)
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const REMEDY = 'install Chromium, for example: sudo apt-get install chromium'
const VERSION_TIMEOUT_MS = 30_000

/** The program of a Chromium: the host's, else Debian's, unpacked beside. @throws ServiceError `ERR_SERVICES_MISSING` where neither runs */
export async function findChromium(progress?: Progress): Promise<string> {
  for (const name of NAMES) if (await runs(name)) return resolveProgram(name)
  const program = await unpackedChromium(progress)
  if (await runs(program)) return program
  throw new ServiceError("Debian's Chromium doesn't run on this system", { code: 'ERR_SERVICES_MISSING', remedy: REMEDY })
}

/** Debian's Chromium, unpacked into the cache. It starts processes of its own from its file, and so needs the host's loader. */
export async function unpackedChromium(progress?: Progress): Promise<string> {
  const root = await unpackPackages({ name: 'chromium-bookworm', suite: 'bookworm', packages: ['chromium', 'chromium-common', 'fontconfig-config', 'fonts-dejavu-core'], programs: [], progress }).catch((cause: unknown) => {
    throw new ServiceError(`there is no Chromium, and Debian's can't be had: ${describeFailure(cause)}`, { code: 'ERR_SERVICES_MISSING', remedy: REMEDY, cause })
  })
  const folder = await installOnce({ name: `${basename(root)}-start`, fill: (draft) => writeStarter(join(draft, 'chromium'), root) })
  return join(folder, 'chromium')
}

async function writeStarter(file: string, root: string): Promise<void> {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
  const libraries = ['usr/lib', 'lib'].flatMap((folder) => [`${root}/${folder}/${triplet}`, `${root}/${folder}/${triplet}/pulseaudio`])
  const text = [
    '#!/bin/sh',
    `export LD_LIBRARY_PATH='${libraries.join(':')}' FONTCONFIG_SYSROOT='${root}'`,
    `exec '${root}/usr/lib/chromium/chromium' "$@"`,
    '',
  ].join('\n')
  await writeFile(file, text)
  await chmod(file, 0o755)
}

function runs(program: string): Promise<boolean> {
  return run(program, ['--version'], { timeout: VERSION_TIMEOUT_MS }).then(
    ({ stdout }) => /chrom/i.test(stdout),
    () => false,
  )
}

async function resolveProgram(name: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', `command -v ${name}`])
  return stdout.trim()
}
