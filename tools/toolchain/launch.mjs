// What happens between `npm start` and the command: the steps, in their order.
import { readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { commandEnv } from './command-env.mjs'
import { findNpm } from './find-npm.mjs'
import { changesDependencies, installWorkspace, workspaceIsInstalled } from './install-workspace.mjs'
import { withLock } from './lock.mjs'
import { planTools } from './plan-tools.mjs'
import { provision } from './provision.mjs'
import { createReporter } from './report.mjs'
import { SetupError } from './setup-error.mjs'
import { createSupervisor } from './supervise.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Makes the workspace ready, runs the command in it, and ends this process with the command's exit code. */
export async function launch([command, ...args]) {
  const supervisor = createSupervisor({ cwd: root })
  const report = createReporter(process.stderr)
  try {
    if (command === undefined) throw new SetupError('usage: node tools/toolchain/run.mjs <command> [args...]')
    const env = await makeReady({ root, supervisor, report, mayInstall: !changesDependencies(command, args) })
    process.exit(await supervisor.run(command, args, { env, stdio: 'inherit' }))
  } catch (error) {
    if (supervisor.signalled !== undefined) process.exit(supervisor.exitCodeOfSignal)
    if (!(error instanceof SetupError)) throw error
    report.line(error.message)
    process.exit(1)
  }
}

/** Provisions and installs what is missing; answers with the environment that the command runs in. */
async function makeReady({ root, supervisor, report, mayInstall }) {
  const home = join(root, '.toolchain')
  const plainEnv = commandEnv(process.env)
  const plan = () => planTools({ home, pins: readPins(root), env: plainEnv })
  const envWith = (tools) => ({
    ...plainEnv,
    PATH: [...tools.path, join(root, 'node_modules', '.bin'), plainEnv.PATH ?? ''].join(delimiter),
  })
  const mustInstall = () => mayInstall && !workspaceIsInstalled(root)

  let tools = plan()
  if (tools.isReady && !mustInstall()) return envWith(tools)

  const onWait = (owner) => report.line(`waiting for another launcher (process ${owner}) that is setting up this workspace …`)
  await withLock(join(home, 'lock'), { onWait, isCancelled: () => supervisor.signalled !== undefined }, async (noteChild) => {
    tools = plan() // another launcher may have done all of it while we waited
    if (!tools.isReady)
      await provision({ home, root, plan: tools, env: plainEnv, npm: findNpm(process.env), supervisor, report, noteChild })
    if (mustInstall()) await installWorkspace({ root, env: envWith(tools), supervisor, report, noteChild })
  })
  return envWith(tools)
}

/** The versions this workspace runs on stand in its root manifest, and nowhere else. */
function readPins(root) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return { node: manifest.toolchain.node, pnpm: manifest.packageManager.replace(/^pnpm@/, '').replace(/\+.*$/, '') }
}
