// Prevents: a package that works in the workspace and breaks when published, because its manifest says something else there;
// and two packages that bring two versions of the same library.
import { isDeepStrictEqual } from 'node:util'
import type { Check } from './check.ts'
import {
  packagesOf,
  SCOPE,
  SOURCE_CONDITION,
  type Exports,
  type ExportTarget,
  type Manifest,
  type Project,
  type Workspace,
} from './workspace.ts'

const ENGINES = '^22.22 || >=24.6'

export const manifests: Check = {
  name: 'manifests',
  run: (workspace) => [
    ...workspace.projects.flatMap((project) => at(project, versionProblems(project, workspace))),
    ...packagesOf(workspace).flatMap((project) => at(project, packageProblems(project))),
  ],
}

function at({ folder }: Project, problems: readonly string[]): string[] {
  return problems.map((problem) => `${folder}/package.json: ${problem}`)
}

function versionProblems({ manifest }: Project, workspace: Workspace): string[] {
  // An exact version of ours in a published package would install a second copy at the next release of the other one.
  const published = manifest.private === true ? ['workspace:*', 'workspace:^'] : ['workspace:^']
  const lockstep = manifest.version === workspace.manifest.version
  return [
    ...(lockstep ? [] : [`version is ${manifest.version}, all packages release together at ${workspace.manifest.version}`]),
    ...rangeProblems(manifest.dependencies, { ours: published, others: ['catalog:'] }),
    ...rangeProblems(manifest.devDependencies, { ours: ['workspace:*', 'workspace:^'], others: ['catalog:'] }),
    ...rangeProblems(manifest.peerDependencies, { ours: ['workspace:^'], others: undefined }),
  ]
}

interface AllowedRanges {
  ours: readonly string[]
  /** Undefined where any will do. */
  others: readonly string[] | undefined
}

function rangeProblems(dependencies: Record<string, string> = {}, allowed: AllowedRanges): string[] {
  return Object.entries(dependencies).flatMap(([name, range]) => {
    const wanted = name.startsWith(SCOPE) ? allowed.ours : allowed.others
    return wanted === undefined || wanted.includes(range) ? [] : [`${name} is "${range}", must be ${wanted.join(' or ')}`]
  })
}

function packageProblems({ manifest, folder }: Project): string[] {
  const expected: [string, unknown, unknown][] = [
    ['name', manifest.name, SCOPE + folder.replace('packages/', '')],
    ['private', manifest.private, undefined],
    ['type', manifest.type, 'module'],
    ['license', manifest.license, 'MIT'],
    ['sideEffects', manifest.sideEffects, false],
    ['engines.node', manifest.engines?.['node'], ENGINES],
    ['publishConfig.access', manifest.publishConfig?.access, 'public'],
    ['exports["./package.json"]', manifest.exports?.['./package.json'], './package.json'],
  ]
  const problems = expected
    .filter(([, found, wanted]) => !isDeepStrictEqual(found, wanted))
    .map(([field, found, wanted]) => `${field} is ${JSON.stringify(found)}, must be ${JSON.stringify(wanted)}`)
  for (const file of ['dist', 'README.md']) {
    if (manifest.files?.includes(file) !== true) problems.push(`files must contain "${file}"`)
  }
  return [...problems, ...exportProblems(manifest)]
}

function exportProblems({ exports = {}, publishConfig }: Manifest): string[] {
  const problems = Object.entries(exports)
    .filter(([, target]) => typeof target === 'object' && Object.keys(target)[0] !== SOURCE_CONDITION)
    .map(([subpath]) => `exports["${subpath}"]: the condition ${SOURCE_CONDITION} must come first`)
  if (isDeepStrictEqual(publishConfig?.exports, withoutSource(exports))) return problems
  return [...problems, `publishConfig.exports must be exports without the condition ${SOURCE_CONDITION}`]
}

function withoutSource(exports: Exports): Record<string, ExportTarget> {
  return Object.fromEntries(
    Object.entries(exports).map(([subpath, target]) => {
      if (typeof target === 'string') return [subpath, target]
      return [subpath, Object.fromEntries(Object.entries(target).filter(([condition]) => condition !== SOURCE_CONDITION))]
    }),
  )
}
