// Prevents: a package that quietly begins to need another one, so that installing it alone no longer works.
// (The lint rule sees imports; a manifest without an import, and a lint run without a cached graph, it does not.)
import type { Check } from './check.ts'
import { SCOPE, type Manifest, type Project, type Workspace } from './workspace.ts'

/** What a package may depend on at run time, by its layer tag. */
const MAY_NEED: Record<string, readonly string[]> = {
  'layer:contract': [],
  'layer:resilience': ['layer:contract'],
  'layer:core': ['layer:contract', 'layer:resilience'],
  'layer:data': ['layer:contract', 'layer:resilience'],
  'layer:app': ['layer:contract', 'layer:resilience', 'layer:core', 'layer:data', 'layer:app'],
  'layer:tool': ['layer:contract', 'layer:resilience', 'layer:core', 'layer:data', 'layer:app', 'layer:tool'],
}
/** The defaults of a data package's factories, loaded on first use. */
const OPTIONAL_PEERS: Record<string, readonly string[]> = { 'layer:data': ['@smart-whale/core-cache', '@smart-whale/core-security'] }

export const arrows: Check = {
  name: 'arrows between the packages',
  run: (workspace) => workspace.projects.flatMap((project) => problemsOf(project, workspace)),
}

function problemsOf({ folder, manifest }: Project, workspace: Workspace): string[] {
  const at = `${folder}/package.json`
  const layer = layerOf(manifest)
  if (layer === undefined) return [`${at}: needs exactly one of the tags ${Object.keys(MAY_NEED).join(', ')} in nx.tags`]
  const layerOfName = (name: string) => layerOf(workspace.projects.find((project) => project.manifest.name === name)?.manifest)
  const mayNeed = (name: string) => MAY_NEED[layer]?.includes(layerOfName(name) ?? '') === true
  const mayPeer = (name: string) => OPTIONAL_PEERS[layer]?.includes(name) === true

  return [
    ...oursIn(manifest.dependencies)
      .filter((name) => !mayNeed(name))
      .map((name) => `${at}: ${layer} may not depend on ${name}${mayPeer(name) ? ': make it an optional peer' : ''}`),
    ...oursIn(manifest.peerDependencies)
      .filter((name) => !mayPeer(name))
      .map((name) => `${at}: ${name} may not be a peer here${mayNeed(name) ? ': make it a dependency' : ''}`),
    ...oursIn(manifest.peerDependencies)
      .filter((name) => manifest.peerDependenciesMeta?.[name]?.optional !== true)
      .map((name) => `${at}: the peer ${name} must be optional in peerDependenciesMeta`),
    ...oursIn(manifest.devDependencies)
      .filter((name) => !mayNeed(name) && !mayPeer(name))
      .map((name) => `${at}: ${name} may not be needed, not even by the tests: that would make the build order a circle`),
  ]
}

function layerOf(manifest: Manifest | undefined): string | undefined {
  const layers = (manifest?.nx?.tags ?? []).filter((tag) => tag in MAY_NEED)
  return layers.length === 1 ? layers[0] : undefined
}

function oursIn(dependencies: Record<string, string> | undefined): string[] {
  return Object.keys(dependencies ?? {}).filter((name) => name.startsWith(SCOPE))
}
