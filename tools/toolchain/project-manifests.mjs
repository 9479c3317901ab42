// Which package.json files belong to the workspace? Those that the `packages:` list of pnpm-workspace.yaml leads to.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Paths relative to the root, sorted. Knows the two forms in use, `folder/*` and `folder`; there is no YAML parser before the install. */
export function projectManifests(root) {
  const manifests = []
  for (const pattern of packagePatterns(readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8'))) {
    for (const folder of pattern.endsWith('/*') ? subfolders(root, pattern.slice(0, -2)) : [pattern]) {
      if (existsSync(join(root, folder, 'package.json'))) manifests.push(`${folder}/package.json`)
    }
  }
  return manifests.sort()
}

function packagePatterns(yaml) {
  const block = /^packages:[ \t]*\n((?:[ \t]+.*\n|[ \t]*#.*\n|\n)*)/m.exec(`${yaml.replaceAll('\r', '')}\n`)?.[1] ?? ''
  return [...block.matchAll(/^[ \t]*-[ \t]*(['"]?)([^'"#\s]+)\1/gm)].map((match) => match[2])
}

function subfolders(root, parent) {
  if (!existsSync(join(root, parent))) return []
  return readdirSync(join(root, parent), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${parent}/${entry.name}`)
}
