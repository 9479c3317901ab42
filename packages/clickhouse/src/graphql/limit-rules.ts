import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLNamedType,
  type GraphQLOutputType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql'
import type { ClickHouseErrorCode } from '../errors.ts'
import type { FieldCosts, GraphqlLimits } from './graphql-options.ts'

/** Rules that refuse, before anything runs, a document which asks for too much. */
export function limitRules(limits: GraphqlLimits, costs: FieldCosts): ValidationRule[] {
  return [
    (context) => ({
      Document(document) {
        const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
        // One, because a compiled document remembers its operation, and because limits count per operation.
        if (operations.length > 1)
          context.reportError(overLimit('a document may hold one operation; send each in a request of its own', operations))
        for (const operation of operations) checkOperation(context, document, operation, limits, costs)
      },
    }),
  ]
}

function checkOperation(
  context: ValidationContext,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  limits: GraphqlLimits,
  costs: FieldCosts,
): void {
  const root = context.getSchema().getRootType(operation.operation)
  const { depth, aliases, cost } = new Measure(context, document, costs).selection(operation.selectionSet, root ?? undefined)
  const findings = [
    ['nested', 'levels', depth, limits.maxDepth],
    ['aliases', 'aliases', aliases, limits.maxAliases],
    ['cost', 'points', cost, limits.maxCost],
  ] as const
  for (const [what, unit, found, allowed] of findings) {
    if (found > allowed)
      context.reportError(
        overLimit(`the query is too large: ${what} ${found} ${unit}, allowed are ${allowed}; ask for less at once`, [operation]),
      )
  }
}

interface Size {
  readonly depth: number
  readonly aliases: number
  readonly cost: number
}

const NOTHING: Size = { depth: 0, aliases: 0, cost: 0 }

/** Sums a selection up, fragments as often as they are spread. Each fragment is measured once, so that the measuring itself stays cheap. */
class Measure {
  readonly #context: ValidationContext
  readonly #costs: FieldCosts
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>
  readonly #measured = new Map<string, Size>()

  constructor(context: ValidationContext, document: DocumentNode, costs: FieldCosts) {
    this.#context = context
    this.#costs = costs
    const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]))
  }

  selection(selections: SelectionSetNode, type: GraphQLNamedType | undefined): Size {
    return selections.selections
      .map((selection) => {
        if (selection.kind === Kind.FIELD) return this.#field(selection, type)
        if (selection.kind === Kind.FRAGMENT_SPREAD) return this.#fragment(selection.name.value)
        return this.selection(selection.selectionSet, this.#typeOf(selection.typeCondition?.name.value) ?? type)
      })
      .reduce(together, NOTHING)
  }

  #field(field: FieldNode, type: GraphQLNamedType | undefined): Size {
    const name = field.name.value
    const cost = this.#costs[`${type?.name}.${name}`] ?? 1
    const aliases = field.alias === undefined ? 0 : 1
    // graphql's own rules bound introspection, and a client's schema query is deeper than any query for data.
    if (name.startsWith('__')) return { depth: 1, aliases, cost }
    const below = field.selectionSet === undefined ? NOTHING : this.selection(field.selectionSet, this.#typeOfField(type, name))
    return { depth: 1 + below.depth, aliases: aliases + below.aliases, cost: cost + below.cost }
  }

  #fragment(name: string): Size {
    const known = this.#measured.get(name)
    if (known !== undefined) return known
    const fragment = this.#fragments.get(name)
    if (fragment === undefined) return NOTHING
    // A fragment that spreads itself counts nothing inside itself; graphql's own rules refuse the document.
    this.#measured.set(name, NOTHING)
    const size = this.selection(fragment.selectionSet, this.#typeOf(fragment.typeCondition.name.value))
    this.#measured.set(name, size)
    return size
  }

  #typeOf(name: string | undefined): GraphQLNamedType | undefined {
    return name === undefined ? undefined : this.#context.getSchema().getType(name)
  }

  /** By shape, not by class: mercurius may work with another copy of graphql than this file. */
  #typeOfField(type: GraphQLNamedType | undefined, name: string): GraphQLNamedType | undefined {
    if (type === undefined || !('getFields' in type)) return undefined
    let found: GraphQLOutputType | undefined = (type.getFields() as Record<string, { type: GraphQLOutputType }>)[name]?.type
    while (found !== undefined && 'ofType' in found) found = found.ofType as GraphQLOutputType
    return found as GraphQLNamedType | undefined
  }
}

function together(one: Size, other: Size): Size {
  return { depth: Math.max(one.depth, other.depth), aliases: one.aliases + other.aliases, cost: one.cost + other.cost }
}

/** The error of a document that asks for too much. */
export function overLimit(message: string, nodes?: readonly OperationDefinitionNode[]): GraphQLError {
  const code: ClickHouseErrorCode = 'ERR_CLICKHOUSE_GRAPHQL_LIMIT'
  return new GraphQLError(message, { ...(nodes ? { nodes } : {}), extensions: { code } })
}
