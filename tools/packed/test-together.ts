// Prevents: an entry point that works in the workspace and not from the registry:
// a file that was not packed, a name that one of the two module formats lacks.
import { cpSync, existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import type { Workspace } from '../checks/workspace.ts'
import type { Outcome } from '../test/outcome.ts'
import { attempt } from './attempt.ts'
import { makeConsumer, specifiersOf, typeProblems, type Consumer } from './consumer.ts'
import { exec } from './exec.ts'
import { loadEntries } from './load-entries.ts'
import type { Parcel } from './parcel.ts'

export interface TogetherOptions {
  workspace: Workspace
  folder: string
  nodeTypes: string
}

/** All packages in one project, with every optional peer: each entry point, each module format, and two copies of the contracts. */
export async function testTogether(parcels: readonly Parcel[], { workspace, folder, nodeTypes }: TogetherOptions): Promise<Outcome[]> {
  let consumer: Consumer | undefined
  const libraries = [nodeTypes, ...peersOf(parcels, workspace)]
  const added = await attempt('all together: pnpm add with every optional peer', async () => {
    consumer = await makeConsumer(folder, { parcels, all: parcels, libraries, ignoreScripts: true })
    return []
  })
  if (consumer === undefined) return [added]
  const together = consumer
  return [
    added,
    ...(await entryOutcomes(together)),
    await attempt('all together: types, from ESM and from CommonJS', () => typeProblems(together, specifiersOf(parcels))),
    await attempt('embedded servers start from the ESM build', () => startServers(together, 'import')),
    await attempt('embedded servers start from the CommonJS build', () => startServers(together, 'require')),
    await attempt('two copies of the contracts recognise each other’s errors', () => twoCopies(together)),
  ]
}

/** One outcome an entry point. Both formats must load, and must give the same names. */
async function entryOutcomes(consumer: Consumer): Promise<Outcome[]> {
  const specifiers = specifiersOf(consumer.parcels)
  const failed = (error: unknown) => specifiers.map((specifier) => ({ specifier, names: [], problem: { message: String(error) } }))
  const [imported, required] = await Promise.all(
    (['import', 'require'] as const).map((way) => loadEntries(consumer, specifiers, way).catch(failed)),
  )
  return Promise.all(
    specifiers.map((specifier, at) =>
      attempt(`${specifier}: import and require`, async () => {
        const [esm, cjs] = [imported?.[at], required?.[at]]
        const problems = [esm?.problem, cjs?.problem].flatMap((problem) => (problem === undefined ? [] : [problem.message]))
        const same = JSON.stringify(esm?.names) === JSON.stringify(cjs?.names)
        return same || problems.length > 0 ? problems : [`import gives ${esm?.names.join(', ')}; require gives ${cjs?.names.join(', ')}`]
      }),
    ),
  )
}

/** A server runs in a process of its own, from a file that has to be found beside the bundle, in either format. */
async function startServers({ folder }: Consumer, way: 'import' | 'require'): Promise<string[]> {
  cpSync(join(import.meta.dirname, 'start-servers.mjs'), join(folder, 'start-servers.mjs'))
  const { code, output } = await exec('node', ['start-servers.mjs', way, join(folder, `data-${way}`)], { cwd: folder })
  return code === 0 ? [] : [output]
}

/** A copy under another path, as two installs that were not merged into one leave it. */
async function twoCopies({ folder }: Consumer): Promise<string[]> {
  const second = join(folder, 'second')
  cpSync(realpathSync(join(folder, 'node_modules/@smart-whale/interfaces')), join(second, 'node_modules/@smart-whale/interfaces'), {
    recursive: true,
  })
  cpSync(join(import.meta.dirname, 'two-copies.mjs'), join(folder, 'two-copies.mjs'))
  const { code, output } = await exec('node', ['two-copies.mjs', second], { cwd: folder })
  return code === 0 ? [] : [output]
}

/** Every peer from outside, in the version that the workspace itself was tested with. */
function peersOf(parcels: readonly Parcel[], workspace: Workspace): string[] {
  const peers = new Map<string, string>()
  for (const { project } of parcels) {
    for (const [name, range] of Object.entries(project.manifest.peerDependencies ?? {})) {
      if (name.startsWith('@smart-whale/')) continue
      const manifest = join(workspace.root, project.folder, 'node_modules', name, 'package.json')
      peers.set(name, existsSync(manifest) ? (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version : range)
    }
  }
  return [...peers].map(([name, version]) => `${name}@${version}`)
}
