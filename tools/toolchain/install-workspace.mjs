// When are the workspace's dependencies installed, and how is that shown?
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { SetupError } from './setup-error.mjs'
import { projectManifests } from './project-manifests.mjs'
import { readPnpmOutput } from './pnpm-output.mjs'

const LIMIT_MS = 20 * 60_000
const ALSO_DECIDES = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', '.npmrc']

/** `pnpm install`, `pnpm add …` by hand: the lockfile is about to change, so it must not be enforced first. */
export function changesDependencies(command, args) {
  const verb = args.find((arg) => !arg.startsWith('-'))
  return command === 'pnpm' && ['install', 'i', 'add', 'update', 'up', 'remove', 'rm', 'dedupe', 'import'].includes(verb)
}

/** True when the last install that came to its end was made from the same lockfile and manifests, for this platform. */
export function workspaceIsInstalled(root) {
  const stamp = stampOf(root)
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === installKey(root)
}

/** Installs exactly what the lockfile says. Call it under the lock. */
export async function installWorkspace({ root, env, supervisor, report, noteChild }) {
  if (!existsSync(join(root, 'pnpm-lock.yaml'))) {
    throw new SetupError('pnpm-lock.yaml is missing: `node tools/toolchain/run.mjs pnpm install` writes it.')
  }
  const stamp = stampOf(root)
  const key = installKey(root)
  rmSync(stamp, { force: true }) // from here to its end the install is unfinished
  await report.step('installing the workspace from pnpm-lock.yaml', 'workspace installed', async (progress) => {
    const output = readPnpmOutput(progress)
    const code = await supervisor.run('pnpm', ['install', '--frozen-lockfile', '--reporter=ndjson', '--config.confirmModulesPurge=false'], {
      // Whoever is offline learns it in half a minute, not in five.
      env: { pnpm_config_fetch_retry_maxtimeout: '15000', ...env },
      stdio: ['ignore', 'ignore', 'pipe'], // the JSON lines go to stderr
      timeoutMs: LIMIT_MS,
      onChild: (child) => {
        noteChild(child)
        child.stderr?.on('data', output.take)
        const watch = setInterval(() => output.isStuck() && child.kill(), 1_000)
        child.once('close', () => clearInterval(watch))
      },
    })
    if (code !== 0) throw new SetupError(`pnpm install failed.\n${output.complaint()}`)
  })
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, key)
}

function stampOf(root) {
  return join(root, 'node_modules', '.installed-by-toolchain')
}

function installKey(root) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  for (const file of [...ALSO_DECIDES, ...projectManifests(root)]) {
    const path = join(root, file)
    if (existsSync(path)) hash.update(`\n${file}\n`).update(readFileSync(path))
  }
  return hash.digest('hex')
}
