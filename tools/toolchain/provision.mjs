// How do the pinned Node and pnpm get here? From npm, into a folder that gets its name only when it is complete.
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binFolder } from './plan-tools.mjs'
import { SetupError } from './setup-error.mjs'

const LIMIT_MS = 10 * 60_000
const UNFINISHED = 'unfinished-'

/** Call it under the lock. Whatever an earlier run left half done is removed first. */
export async function provision({ home, root, plan, env, npm, supervisor, report, noteChild }) {
  for (const name of readdirSync(home)) {
    if (name.startsWith(UNFINISHED)) rmSync(join(home, name), { recursive: true, force: true })
  }
  const names = plan.tools.map((tool) => `${tool.name}@${tool.version}`)
  await report.step(`fetching ${names.join(' and ')} from npm`, 'toolchain ready', async () => {
    const folder = join(home, `${UNFINISHED}${process.pid}`)
    mkdirSync(folder, { recursive: true })
    await npmInstall({ folder, root, names, env, npm, supervisor, noteChild })
    placePnpm(folder, env)
    for (const tool of plan.tools) proveThatItRuns(folder, tool, env)
    renameSync(folder, plan.folder)
  })
}

async function npmInstall({ folder, root, names, env, npm, supervisor, noteChild }) {
  // Its own manifest keeps npm from climbing up into the workspace; the workspace's .npmrc may name a registry.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  if (existsSync(join(root, '.npmrc'))) copyFileSync(join(root, '.npmrc'), join(folder, '.npmrc'))
  const flags = [
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--fetch-retry-maxtimeout=15000',
    '--loglevel=error',
  ]
  let complaint = ''
  const code = await supervisor.run(npm.command, [...npm.args, 'install', ...flags, ...names], {
    cwd: folder,
    env,
    shell: npm.shell,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeoutMs: LIMIT_MS,
    onChild: (child) => {
      noteChild(child)
      child.stderr?.on('data', (chunk) => (complaint += chunk))
    },
  })
  if (code !== 0) throw new SetupError(`npm could not fetch ${names.join(' and ')}. Is the registry reachable?\n${firstLines(complaint)}`)
}

/** npm says what happened first, and much that nobody reads after it. */
function firstLines(text) {
  return text.trim().split('\n').slice(0, 6).join('\n')
}

/** What pnpm's install script would do, had it been allowed to run: put the native binary where the placeholder is. */
function placePnpm(folder, env) {
  const script = join(folder, 'node_modules', 'pnpm', 'install.js')
  if (existsSync(script)) execFileSync(process.execPath, [script], { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 60_000 })
}

/** A binary for another C library unpacks without complaint and then does not start. */
function proveThatItRuns(folder, tool, env) {
  const name = tool.name === 'pnpm' ? 'pnpm' : 'node'
  const binary = join(binFolder(folder, tool), process.platform === 'win32' ? `${name}.exe` : name)
  try {
    execFileSync(binary, ['--version'], { cwd: folder, env, stdio: 'ignore', timeout: 60_000 })
  } catch (error) {
    throw new SetupError(
      `${tool.name}@${tool.version} from npm does not run on this host (${error.message.split('\n')[0]}): install ${name} yourself.`,
    )
  }
}
