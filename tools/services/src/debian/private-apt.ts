// apt with a state of its own: the host's lists and packages are neither read nor touched.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describeFailure, ServiceError } from '../service-error.ts'

const run = promisify(execFile)

/** A release of Debian that packages are taken from. */
export type Suite = 'bookworm' | 'trixie' | 'sid'

/** Packages of one release, checked against its signed lists. */
export interface PrivateApt {
  /** Names of all that these packages need, themselves included. */
  resolve(packages: readonly string[]): Promise<string[]>
  /** Brings packages as `.deb` files. apt compares each with the hash in the signed list. */
  download(packages: readonly string[], folder: string): Promise<void>
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const OFFICIAL = 'http://deb.debian.org/debian'
const TIMEOUT_MS = 240_000
const MANY_BYTES = 64 * 1024 * 1024

/** Whether this machine can take packages from Debian. @returns what is missing, and what would bring it */
export function whatAptLacks(): { readonly missing: string; readonly remedy: string } | undefined {
  for (const program of ['/usr/bin/apt-get', '/usr/bin/dpkg-deb']) {
    if (!existsSync(program)) return { missing: program, remedy: 'use a Debian or Ubuntu machine, a container engine, or name a running server in the environment' }
  }
  if (existsSync(KEYRING)) return undefined
  return { missing: KEYRING, remedy: 'sudo apt-get install debian-archive-keyring' }
}

/** Reads a release's lists into `state`. @throws ServiceError `ERR_SERVICES_MISSING` where there is no apt, or no way to the mirror */
export async function openApt(suite: Suite, state: string): Promise<PrivateApt> {
  const lack = whatAptLacks()
  if (lack !== undefined) throw new ServiceError(`packages of Debian can't be used without ${lack.missing}`, { code: 'ERR_SERVICES_MISSING', remedy: lack.remedy })
  const mirror = await findMirror()
  const apt = (args: readonly string[], cwd = state): Promise<string> =>
    run('apt-get', ['-c', join(state, 'apt.conf'), ...args], { cwd, timeout: TIMEOUT_MS, maxBuffer: MANY_BYTES, env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' } }).then(({ stdout }) => stdout)
  await writeState(state, suite, mirror)
  await apt(['-qq', 'update', '--error-on=any']).catch((cause: unknown) => {
    throw new ServiceError(`the lists of Debian ${suite} can't be had from ${mirror}: ${lastLine(cause)}`, { code: 'ERR_SERVICES_MISSING', remedy: 'connect to the network once, or set the mirror in /etc/apt', cause })
  })
  return {
    resolve: async (packages) => {
      const plan = await apt(['--print-uris', '-y', 'install', ...packages]).catch((cause: unknown) => {
        throw new ServiceError(`Debian ${suite} can't give ${packages.join(', ')}: ${lastLine(cause)}`, { code: 'ERR_SERVICES_MISSING', remedy: 'use another service, or name a running server in the environment', cause })
      })
      return [...plan.matchAll(/^'[^']+' ([^_ ]+)_/gm)].map((match) => match[1] as string)
    },
    download: async (packages, folder) => {
      await apt(['-qq', 'download', ...packages], folder).catch((cause: unknown) => {
        throw new ServiceError(`packages of Debian ${suite} can't be had from ${mirror}: ${lastLine(cause)}`, { code: 'ERR_SERVICES_DOWNLOAD', remedy: 'try again', cause })
      })
    },
  }
}

/** The mirror that the host takes Debian's main archive from. */
async function findMirror(): Promise<string> {
  const listed = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Origin: Debian']).then(({ stdout }) => stdout, () => '')
  return listed.split('\n').find((uri) => uri !== '' && !uri.includes('-security')) ?? OFFICIAL
}

async function writeState(state: string, suite: Suite, mirror: string): Promise<void> {
  for (const folder of ['lists/partial', 'cache/archives/partial', 'none']) await mkdir(join(state, folder), { recursive: true })
  await writeFile(join(state, 'status'), '')
  await writeFile(join(state, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`)
  const settings: Record<string, string> = {
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '5',
    'Dir::State': state,
    'Dir::State::status': join(state, 'status'),
    'Dir::State::lists': join(state, 'lists'),
    'Dir::Cache': join(state, 'cache'),
    'Dir::Etc::sourcelist': join(state, 'sources.list'),
    'Dir::Etc::sourceparts': join(state, 'none'),
    'Dir::Etc::preferences': join(state, 'none', 'preferences'),
    'Dir::Etc::preferencesparts': join(state, 'none'),
  }
  // This file is read after the host's: its hooks, and the lists that only a desktop wants, are taken out again.
  const hooks = ['APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success', 'DPkg::Post-Invoke', 'DPkg::Pre-Install-Pkgs', 'Acquire::IndexTargets']
  const text = [...Object.entries(settings).map(([name, value]) => `${name} "${value}";`), ...hooks.map((name) => `#clear ${name};`)]
  const packages = 'Acquire::IndexTargets::deb::Packages { MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages"; flatMetaKey "Packages"; ShortDescription "Packages"; Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages"; Optional "no"; };'
  await writeFile(join(state, 'apt.conf'), `${[...text, packages].join('\n')}\n`)
}

function lastLine(error: unknown): string {
  const text = (error as { stderr?: string }).stderr?.trim() || describeFailure(error)
  return text.split('\n').at(-1) ?? text
}
