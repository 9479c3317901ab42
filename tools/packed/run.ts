// What ships is what was tested: packs every package, installs the tarballs outside the workspace, and uses them there.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWorkspace, type Workspace } from '../checks/workspace.ts'
import { writeOutcomes, type Outcome } from '../test/outcome.ts'
import { attempt, inParallel } from './attempt.ts'
import { packagingProblems, typeResolutionProblems } from './lint-parcel.ts'
import { pack, projectsToPack, type Parcel } from './parcel.ts'
import { testAlone } from './test-alone.ts'
import { testTogether } from './test-together.ts'

const WIDTH = 2

async function testPacked(workspace: Workspace, folder: string): Promise<Outcome[]> {
  const into = join(folder, 'tarballs')
  mkdirSync(into)
  const parcels: Parcel[] = []
  const packed = await inParallel(projectsToPack(workspace), WIDTH, (project) =>
    attempt(`${project.manifest.name}: pnpm pack`, async () => {
      parcels.push(await pack(project, { workspace, into }))
      return []
    }),
  )
  tell(packed)
  if (packed.some((outcome) => outcome.state === 'failed')) return packed
  parcels.sort((a, b) => (a.name < b.name ? -1 : 1))

  const nodeTypes = `@types/node@${installedVersion(workspace, '@types/node')}`
  const single = await inParallel(parcels, WIDTH, async (parcel) =>
    tell([
      await attempt(`${parcel.name}: publint`, () => packagingProblems(parcel)),
      await attempt(`${parcel.name}: are the types wrong`, () => typeResolutionProblems(parcel, folder)),
      ...(await testAlone(parcel, { all: parcels, folder: join(folder, 'alone'), nodeTypes })),
    ]),
  )
  const together = tell(await testTogether(parcels, { workspace, folder: join(folder, 'together'), nodeTypes }))
  return [...packed, ...single.flat(), ...together]
}

/** Shows outcomes as soon as they are known, and hands them on. */
function tell(outcomes: Outcome[]): Outcome[] {
  for (const { name, state, reason } of outcomes) {
    process.stdout.write(`${state === 'passed' ? '✓' : '✗'} ${name}\n`)
    if (reason !== undefined) process.stdout.write(`${reason.replace(/^/gm, '    ')}\n`)
  }
  return outcomes
}

function installedVersion(workspace: Workspace, name: string): string {
  return (JSON.parse(readFileSync(join(workspace.root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version
}

const folder = mkdtempSync(join(realpathSync(tmpdir()), 'packed-'))
chmodSync(folder, 0o755) // PostgreSQL refuses to run as root: it takes another account, which has to get at its files
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const outcomes = await testPacked(openWorkspace(join(import.meta.dirname, '../..')), folder)
writeOutcomes(outcomes)
process.exitCode = outcomes.every((outcome) => outcome.state === 'passed') ? 0 : 1
