// Prevents: a package that works only because another one, or a library of the workspace, happens to be installed beside it.
import { join } from 'node:path'
import type { Outcome } from '../test/outcome.ts'
import { attempt } from './attempt.ts'
import { makeConsumer, specifiersOf, typeProblems, type Consumer } from './consumer.ts'
import { loadEntries, type Loaded } from './load-entries.ts'
import type { Parcel } from './parcel.ts'

export interface AloneOptions {
  all: readonly Parcel[]
  folder: string
  nodeTypes: string
}

/** One package in an empty project: it can be added, imported, required and type-checked with nothing else there. */
export async function testAlone(parcel: Parcel, { all, folder, nodeTypes }: AloneOptions): Promise<Outcome[]> {
  let consumer: Consumer | undefined
  const added = await attempt(`${parcel.name} alone: pnpm add`, async () => {
    consumer = await makeConsumer(join(folder, parcel.name), { parcels: [parcel], all, libraries: [nodeTypes] })
    return []
  })
  if (consumer === undefined) return [added]
  const alone = consumer
  return [
    added,
    await attempt(`${parcel.name} alone: import`, async () =>
      loadProblems(parcel, await loadEntries(alone, specifiersOf([parcel]), 'import')),
    ),
    await attempt(`${parcel.name} alone: require`, async () =>
      loadProblems(parcel, await loadEntries(alone, specifiersOf([parcel]), 'require')),
    ),
    // The declarations of a plugin speak of the framework it plugs into; they are checked where that is installed.
    await attempt(`${parcel.name} alone: types`, () => typeProblems(alone, [parcel.project.manifest.name])),
  ]
}

/** The main entry loads with nothing else there; a subpath may miss an optional peer, and nothing but that. */
function loadProblems({ project: { manifest } }: Parcel, loaded: readonly Loaded[]): string[] {
  const peers = Object.keys(manifest.peerDependencies ?? {})
  const isMissingPeer = (message: string) => peers.some((peer) => message.includes(`'${peer}'`) || message.includes(`'${peer}/`))
  return loaded.flatMap(({ specifier, problem }) => {
    if (problem === undefined) return []
    const notFound = problem.code === 'ERR_MODULE_NOT_FOUND' || problem.code === 'MODULE_NOT_FOUND'
    return specifier !== manifest.name && notFound && isMissingPeer(problem.message) ? [] : [`${specifier}: ${problem.message}`]
  })
}
