import type { IndexUse } from './analyze-query.ts'

/** A step of a plan that reads a table. */
export interface PlanNode {
  readonly table: string
  readonly indexes: readonly IndexUse[]
  /** Columns that are read. */
  readonly columns: readonly string[]
  readonly prewhere: string | null
  readonly projection: string | null
}

/** What of a plan matters here. */
export interface QueryPlan {
  readonly nodes: readonly PlanNode[]
  /** Tables on both sides of each join. */
  readonly joins: readonly { readonly left: readonly string[]; readonly right: readonly string[] }[]
}

interface RawNode {
  readonly 'Node Type': string
  readonly Description?: string
  readonly Header?: readonly { readonly Name: string }[]
  readonly Plans?: readonly RawNode[]
  readonly Indexes?: readonly Readonly<Record<string, unknown>>[]
  readonly 'Prewhere info'?: { readonly 'Prewhere filter'?: { readonly 'Prewhere filter column'?: string } }
}

/** Reads what `EXPLAIN header = 1, indexes = 1, json = 1` answers. */
export function readPlan(text: string): QueryPlan {
  const [root] = JSON.parse(text) as readonly { readonly Plan: RawNode }[]
  const nodes = root === undefined ? [] : flatten(root.Plan)
  return {
    nodes: nodes.filter((node) => node['Node Type'].startsWith('ReadFromMergeTree')).map(nodeOf),
    joins: nodes.filter((node) => node['Node Type'] === 'Join' || node['Node Type'] === 'JoinLogical').map(({ Plans: [left, right] = [] }) => ({ left: tablesBelow(left), right: tablesBelow(right) })),
  }
}

function flatten(node: RawNode): RawNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)]
}

const tablesBelow = (node: RawNode | undefined): string[] => (node === undefined ? [] : flatten(node).filter((each) => each['Node Type'].startsWith('ReadFromMergeTree')).map((each) => each.Description ?? ''))

function nodeOf(node: RawNode): PlanNode {
  const description = node.Description ?? ''
  const isProjection = /^\w+$/.test(description)
  return {
    table: description,
    columns: (node.Header ?? []).map(({ Name }) => Name),
    projection: isProjection ? description : null,
    prewhere: node['Prewhere info']?.['Prewhere filter']?.['Prewhere filter column'] ?? null,
    indexes: (node.Indexes ?? []).map((index) => ({
      type: String(index.Type),
      name: index.Name === undefined ? undefined : String(index.Name),
      keys: Array.isArray(index.Keys) ? index.Keys.map(String) : [],
      condition: String(index.Condition ?? 'true'),
      partsBefore: Number(index['Initial Parts'] ?? 0),
      parts: Number(index['Selected Parts'] ?? 0),
      granulesBefore: Number(index['Initial Granules'] ?? 0),
      granules: Number(index['Selected Granules'] ?? 0),
    })),
  }
}
