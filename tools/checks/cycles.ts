// Prevents: modules that import each other, where it depends on who is loaded first whether a constant is there yet.
import { posix } from 'node:path'
import ts from 'typescript'
import type { Check } from './check.ts'
import { entryPointsOf, type Workspace } from './workspace.ts'

export const cycles: Check = {
  name: 'no import cycles',
  run(workspace) {
    const sources = workspace
      .files(['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts', 'tools/**/*.ts'])
      .filter((file) => !file.endsWith('.test.ts'))
    return findCycles(importGraph(sources, workspace)).map((cycle) => `${cycle[0]}: imports itself: ${cycle.join(' → ')}`)
  },
}

/** File → files that it loads at run time. Imports of types are gone by then and make no cycle. */
function importGraph(files: readonly string[], workspace: Workspace): Map<string, string[]> {
  const entries = new Map(workspace.projects.flatMap(entryPointsOf).map((entry) => [entry.specifier, entry.source]))
  const known = new Set(files)
  const resolve = (from: string, specifier: string) =>
    specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : entries.get(specifier)
  return new Map(
    files.map((file) => {
      const targets = runtimeImports(file, workspace.read(file)).map((specifier) => resolve(file, specifier))
      return [file, targets.filter((target) => target !== undefined && known.has(target)) as string[]]
    }),
  )
}

/** What a module's top level imports or re-exports, types aside. A dynamic `import()` runs later and makes no cycle. */
function runtimeImports(file: string, text: string): string[] {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements.flatMap((statement) => {
    const loads =
      (ts.isImportDeclaration(statement) && statement.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword) ||
      (ts.isExportDeclaration(statement) && !statement.isTypeOnly)
    const specifier = loads ? statement.moduleSpecifier : undefined
    return specifier !== undefined && ts.isStringLiteral(specifier) ? [specifier.text] : []
  })
}

/** Each circle once, as the path around it, beginning and ending at the same file. */
export function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found = new Map<string, string[]>()
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    const at = path.indexOf(file)
    if (at >= 0) {
      const cycle = path.slice(at)
      found.set([...cycle].sort().join(), [...cycle, file])
      return
    }
    if (done.has(file)) return
    path.push(file)
    for (const target of graph.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) visit(file)
  return [...found.values()]
}
