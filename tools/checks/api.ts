// Prevents: a public name that comes or goes without anybody having decided it.
// `npm run api` (this file with --write) brings the lists up to date.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiPages } from './api-surface.ts'
import type { Check } from './check.ts'
import { openWorkspace } from './workspace.ts'

export const api: Check = {
  name: 'api.md of every package is up to date',
  run: (workspace) =>
    [...apiPages(workspace)]
      .filter(([file, text]) => !existsSync(join(workspace.root, file)) || workspace.read(file) !== text)
      .map(([file]) => `${file}: is stale: \`npm run api\` writes it`),
}

if (import.meta.main && process.argv.includes('--write')) {
  const workspace = openWorkspace(join(import.meta.dirname, '../..'))
  for (const [file, text] of apiPages(workspace)) {
    if (existsSync(join(workspace.root, file)) && workspace.read(file) === text) continue
    writeFileSync(join(workspace.root, file), text)
    process.stdout.write(`wrote ${file}\n`)
  }
}
