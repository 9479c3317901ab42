import { join } from 'node:path'
import ts from 'typescript'
import { entryPointsOf, packagesOf, SOURCE_CONDITION, type Project, type Workspace } from './workspace.ts'

const INTRO = 'The public surface, by entry point. Written by `npm run api` from the sources; a change of it belongs in the changelog.'

/** The text of each package's `api.md`, by its path. */
export function apiPages(workspace: Workspace): Map<string, string> {
  const packages = packagesOf(workspace)
  const sources = packages.flatMap(entryPointsOf).map((entry) => join(workspace.root, entry.source))
  const program = ts.createProgram(sources, {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    customConditions: [SOURCE_CONDITION],
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
    strict: true,
  })
  return new Map(packages.map((project) => [`${project.folder}/api.md`, pageOf(project, workspace, program)]))
}

function pageOf(project: Project, workspace: Workspace, program: ts.Program): string {
  const sections = entryPointsOf(project).map(({ specifier, source }) => {
    const rows = exportsOf(join(workspace.root, source), program).map(({ name, kind, about }) => `| \`${name}\` | ${kind} | ${about} |`)
    const table = rows.length === 0 ? ['Nothing yet.'] : ['| name | kind | what it is |', '|---|---|---|', ...rows]
    return ['', `## \`${specifier}\``, '', ...table].join('\n')
  })
  return [`# API of ${project.manifest.name}`, '', INTRO, ...sections, ''].join('\n')
}

interface Exported {
  name: string
  kind: string
  about: string
}

function exportsOf(file: string, program: ts.Program): Exported[] {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const module = source && checker.getSymbolAtLocation(source)
  if (module === undefined) return []
  return checker
    .getExportsOfModule(module)
    .map((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      return { name: symbol.name, kind: kindOf(target), about: firstLine(target, checker) }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

const KINDS: [ts.SymbolFlags, string][] = [
  [ts.SymbolFlags.Class, 'class'],
  [ts.SymbolFlags.Function, 'function'],
  [ts.SymbolFlags.Variable, 'const'],
  [ts.SymbolFlags.Interface, 'interface'],
  [ts.SymbolFlags.TypeAlias, 'type'],
  [ts.SymbolFlags.Namespace, 'namespace'],
]

/** An arrow function in a const is a function to whoever calls it; the table says `const` only of values. */
function kindOf(symbol: ts.Symbol): string {
  const declaration = symbol.valueDeclaration
  const initializer = declaration !== undefined && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined
  if (initializer !== undefined && ts.isArrowFunction(initializer)) return 'function'
  return KINDS.find(([flag]) => symbol.flags & flag)?.[1] ?? 'unknown'
}

function firstLine(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim()
  return (text.split('\n', 1)[0] ?? '').replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
