// Prevents: an error that its reader looks up in vain, and docs of an error that nothing throws any more.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import type { Check } from './check.ts'
import { sectionOf } from './markdown.ts'
import { packagesOf, type Project, type Workspace } from './workspace.ts'

export const errorCodes: Check = {
  name: 'every error code stands in its README',
  run(workspace) {
    const packages = packagesOf(workspace).map((project) => ({ project, codes: codesOf(project, workspace) }))
    const everywhere = new Set(packages.flatMap(({ codes }) => codes))
    return packages.flatMap(({ project, codes }) => problemsOf(project, codes, everywhere, workspace))
  },
}

function problemsOf({ folder }: Project, codes: readonly string[], everywhere: ReadonlySet<string>, workspace: Workspace): string[] {
  const file = `${folder}/README.md`
  if (!existsSync(join(workspace.root, file))) return [`${file}: is missing`]
  const section = sectionOf(workspace.read(file), 'Errors')
  if (section === undefined) return codes.length === 0 ? [] : [`${file}: has no section "## Errors"`]
  const documented = new Set([...section.matchAll(/`(ERR_[A-Z0-9_]+)`/g)].map((match) => match[1] ?? ''))
  return [
    ...codes.filter((code) => !documented.has(code)).map((code) => `${file}: ${code} is missing from "## Errors"`),
    ...[...documented].filter((code) => !everywhere.has(code)).map((code) => `${file}: ${code} is documented, but no package defines it`),
  ]
}

/** The members of every `export type …ErrorCode = 'ERR_A' | 'ERR_B'` in the package's errors.ts. */
export function codesOf({ folder }: Pick<Project, 'folder'>, workspace: Pick<Workspace, 'root' | 'read'>): string[] {
  const file = `${folder}/src/errors.ts`
  if (!existsSync(join(workspace.root, file))) return []
  return ts
    .createSourceFile(file, workspace.read(file), ts.ScriptTarget.Latest)
    .statements.filter((statement) => ts.isTypeAliasDeclaration(statement))
    .filter((alias) => alias.name.text.endsWith('ErrorCode'))
    .flatMap((alias) => (ts.isUnionTypeNode(alias.type) ? alias.type.types : [alias.type]))
    .flatMap((member) => (ts.isLiteralTypeNode(member) && ts.isStringLiteral(member.literal) ? [member.literal.text] : []))
}
