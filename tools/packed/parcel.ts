import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packagesOf, SCOPE, type Project, type Workspace } from '../checks/workspace.ts'
import { mustExec } from './exec.ts'

/** A package as a user would get it from the registry. */
export interface Parcel {
  /** Without the scope, e.g. `clickhouse`. */
  name: string
  project: Project
  tarball: string
}

/** Packs one package into a folder. @throws Error when it was not built, or pnpm refuses */
export async function pack(project: Project, { workspace, into }: { workspace: Workspace; into: string }): Promise<Parcel> {
  const folder = join(workspace.root, project.folder)
  if (!existsSync(join(folder, 'dist'))) throw new Error(`${project.folder}/dist is missing: \`npm run build\` makes it`)
  const { stdout } = await mustExec('pnpm', ['pack', '--json', '--pack-destination', into], { cwd: folder })
  const { filename } = JSON.parse(stdout) as { filename: string }
  return { name: project.manifest.name.replace(SCOPE, ''), project, tarball: filename }
}

export function projectsToPack(workspace: Workspace): Project[] {
  return packagesOf(workspace).filter((project) => project.manifest.private !== true)
}
