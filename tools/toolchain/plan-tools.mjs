// Which tools does this host lack, and where do they lie once they are here?
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { nodeFits, nodePackageFor } from './node-package.mjs'

/**
 * @typedef {{ name: string, version: string }} Tool
 * @typedef {{ tools: Tool[], folder: string, isReady: boolean, path: string[] }} ToolPlan
 * `folder` exists only when it is complete; `path` goes in front of the user's PATH.
 */

/** @returns {ToolPlan} */
export function planTools({ home, pins, env, host = process }) {
  const node = nodeFits(host.versions.node) ? [] : [nodePackageFor(host.platform, host.arch, pins.node)]
  const pnpm = { name: 'pnpm', version: pins.pnpm }
  const withPnpm = plan({ home, host, tools: [...node, pnpm] })
  if (withPnpm.isReady || hostPnpmVersion(env) !== pins.pnpm) return withPnpm
  return plan({ home, host, tools: node })
}

function plan({ home, host, tools }) {
  const names = tools.map((tool) => `${tool.name}@${tool.version}`)
  const folder = join(home, [`${host.platform}-${host.arch}`, ...names].join('_'))
  const hostNode = tools.some((tool) => tool.name !== 'pnpm') ? [] : [dirname(host.execPath)]
  return {
    tools,
    folder,
    isReady: tools.length === 0 || existsSync(folder),
    path: [...hostNode, ...tools.map((tool) => binFolder(folder, tool))],
  }
}

/** The folder of the binary itself: npm's shims on Windows would be passed over by anything that looks for `node.exe`. */
export function binFolder(folder, tool) {
  return tool.name === 'pnpm' ? join(folder, 'node_modules', 'pnpm') : join(folder, 'node_modules', tool.name, 'bin')
}

/** Asked from outside the workspace: inside, a pnpm of another version would download the pinned one before it answers. */
function hostPnpmVersion(env) {
  const names = process.platform === 'win32' ? ['pnpm.exe', 'pnpm.cmd'] : ['pnpm']
  const found = (env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && names.some((name) => existsSync(join(folder, name))))
  if (!found) return undefined
  try {
    const options = {
      cwd: tmpdir(),
      env,
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
      shell: process.platform === 'win32',
    }
    return execFileSync('pnpm', ['--version'], options).trim()
  } catch {
    return undefined
  }
}
