// Runs a command of this workspace on any machine that has Node 20 or newer and npm:
//
//   node tools/toolchain/run.mjs <command> [args...]
//
// This file speaks only syntax that any Node understands, so that an old one gets a sentence instead of a SyntaxError.
const major = Number(process.versions.node.split('.')[0])

if (major < 20) {
  process.stderr.write('setup: Node ' + process.versions.node + ' is too old to start this workspace: install Node 20 or newer.\n')
  process.exit(1)
}

import('./launch.mjs').then((module) => module.launch(process.argv.slice(2)))
