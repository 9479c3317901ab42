// Prevents: an option whose meaning, unit and default only the code knows, and a public name that says nothing of itself.
import ts from 'typescript'
import type { Check } from './check.ts'

/** Interfaces and object types by these names are what somebody fills in or is handed as settled. */
const OPTIONS_NAME = /(?:Options|Config|Params|Settings)$/

export const optionsDocumented: Check = {
  name: 'every option and every exported declaration is documented',
  run(workspace) {
    return workspace
      .files(['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'])
      .filter((file) => !file.endsWith('.test.ts'))
      .flatMap((file) => problemsIn(file, workspace.read(file)))
  },
}

function problemsIn(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const exported = source.statements.filter(isExportedDeclaration)
  // One comment speaks for all overloads of a function.
  const documented = new Set(exported.filter((statement) => commentsOf(statement).length > 0).map(nameOf))
  const at = (node: ts.Node) => `${file}:${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1}`
  return [
    ...exported.filter((statement) => !documented.has(nameOf(statement))).map((bare) => `${at(bare)}: ${nameOf(bare)} has no doc comment`),
    ...exported.flatMap((statement) =>
      optionsOf(statement).flatMap((member) => {
        const problem = problemOfOption(member)
        return problem === undefined ? [] : [`${at(member)}: ${nameOf(statement)}.${nameOf(member)} ${problem}`]
      }),
    ),
  ]
}

function problemOfOption(member: ts.TypeElement): string | undefined {
  const comments = commentsOf(member)
  if (comments.length === 0) return 'has no doc comment'
  if (!comments.some((comment) => (ts.getTextOfJSDocComment(comment.comment) ?? '').trim() !== '')) return 'does not say what it means'
  const hasDefault = comments.some((comment) => comment.tags?.some((tag) => tag.tagName.text === 'default'))
  return member.questionToken !== undefined && !hasDefault ? 'may be left out, but has no @default' : undefined
}

type Declaration = ts.DeclarationStatement | ts.VariableStatement

function isExportedDeclaration(statement: ts.Statement): statement is Declaration {
  const isDeclaration =
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isVariableStatement(statement)
  return isDeclaration && statement.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) === true
}

/** The members that an exported type of options declares itself; what it extends has its own place. */
function optionsOf(statement: Declaration): readonly ts.TypeElement[] {
  if (!OPTIONS_NAME.test(nameOf(statement))) return []
  if (ts.isInterfaceDeclaration(statement)) return statement.members
  return ts.isTypeAliasDeclaration(statement) ? literalMembersOf(statement.type) : []
}

function literalMembersOf(type: ts.TypeNode): readonly ts.TypeElement[] {
  if (ts.isTypeLiteralNode(type)) return type.members
  return ts.isIntersectionTypeNode(type) || ts.isUnionTypeNode(type) ? type.types.flatMap(literalMembersOf) : []
}

function commentsOf(node: ts.Node): ts.JSDoc[] {
  return ts.getJSDocCommentsAndTags(node).filter((comment) => ts.isJSDoc(comment))
}

function nameOf(node: Declaration | ts.TypeElement): string {
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.map((one) => one.name.getText()).join(', ')
  return node.name?.getText() ?? (ts.isIndexSignatureDeclaration(node) ? `[${node.parameters[0]?.name.getText()}]` : 'default')
}
