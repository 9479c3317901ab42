import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

export const SCOPE = '@smart-whale/'
/** The export condition under which the sources themselves are found, so that nothing has to be built first. */
export const SOURCE_CONDITION = '@smart-whale/source'

export type ExportTarget = string | { readonly [condition: string]: ExportTarget }
export type Exports = Readonly<Record<string, ExportTarget>>

export interface Manifest {
  name: string
  version: string
  private?: boolean
  type?: string
  license?: string
  sideEffects?: unknown
  files?: string[]
  engines?: Record<string, string>
  scripts?: Record<string, string>
  exports?: Exports
  publishConfig?: { access?: string; exports?: Exports }
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
  nx?: { tags?: string[] }
}

export interface Project {
  /** Relative to the root, e.g. `packages/clickhouse`. */
  folder: string
  manifest: Manifest
}

export interface Workspace {
  root: string
  manifest: Manifest
  projects: readonly Project[]
  /** Paths relative to the root that match, sorted; never anything installed, built or hidden. */
  files(patterns: readonly string[]): string[]
  read(file: string): string
}

/** The workspace as it lies on the disk. */
export function openWorkspace(root: string): Workspace {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8')
  const manifestOf = (file: string): Manifest => JSON.parse(read(file)) as Manifest
  const files = (patterns: readonly string[]): string[] =>
    globSync(patterns, { cwd: root, exclude: (path) => isForeign(path) })
      .map((path) => relative(root, join(root, path)).replaceAll('\\', '/'))
      .sort()
  const projects = files(['packages/*/package.json', 'apps/*/package.json', 'tools/*/package.json', 'examples/package.json']).map(
    (file) => ({
      folder: file.replace(/\/package\.json$/, ''),
      manifest: manifestOf(file),
    }),
  )
  return { root, manifest: manifestOf('package.json'), projects, files, read }
}

const FOREIGN = ['node_modules', 'dist', 'coverage']

function isForeign(path: string): boolean {
  return path.split(/[\\/]/).some((name) => FOREIGN.includes(name) || /^\.[^.]/.test(name))
}

/** The published ones: what lies in `packages/`. */
export function packagesOf(workspace: Workspace): Project[] {
  return workspace.projects.filter((project) => project.folder.startsWith('packages/'))
}

/** Each entry point of a package and the source file behind it, e.g. `./embedded` → `packages/clickhouse/src/embedded/index.ts`. */
export function entryPointsOf({ folder, manifest }: Project): { subpath: string; specifier: string; source: string }[] {
  return Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) => {
    const source = typeof target === 'object' ? target[SOURCE_CONDITION] : undefined
    if (typeof source !== 'string') return []
    return [{ subpath, specifier: manifest.name + subpath.slice(1), source: `${folder}/${source.replace(/^\.\//, '')}` }]
  })
}
