import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A browser for tests of pages, or the command that would bring one. */
export type FoundChromium = { readonly path: string } | { readonly path: null; readonly remedy: string }

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const INSTALL_TIMEOUT_MS = 300_000

/** Finds the host's Chromium; where the run may install packages (Debian, as root) and has none, installs Debian's. */
export function findChromium(): FoundChromium {
  const found = onPath()
  if (found !== null) return { path: found }
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const quiet = { stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const
    spawnSync('apt-get', ['update', '-qq'], quiet)
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], quiet)
    const installed = onPath()
    if (installed !== null) return { path: installed }
  }
  return { path: null, remedy: 'install Chromium, for example: sudo apt-get install chromium' }
}

function onPath(): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES) if (existsSync(join(folder, name))) return join(folder, name)
  }
  return null
}
