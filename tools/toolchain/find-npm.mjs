// How is npm called on this host?
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { SetupError } from './setup-error.mjs'

/** The npm that started us, else the one on PATH; as a command and the arguments that come before npm's own. */
export function findNpm(env, platform = process.platform) {
  if (/npm-cli\.js$/.test(env.npm_execpath ?? '')) return { command: process.execPath, args: [env.npm_execpath], shell: false }
  const name = platform === 'win32' ? 'npm.cmd' : 'npm'
  const folder = (env.PATH ?? env.Path ?? '').split(delimiter).find((candidate) => candidate !== '' && existsSync(join(candidate, name)))
  if (folder === undefined) throw new SetupError('npm was not found on PATH: install Node 20 or newer together with npm.')
  // Node refuses to start a .cmd file without a shell.
  return { command: join(folder, name), args: [], shell: platform === 'win32' }
}
