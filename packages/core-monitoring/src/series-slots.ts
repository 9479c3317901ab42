import type { MetricLabels } from '@smart-whale/interfaces'

/** Label value of what no longer has a series of its own. */
export const FOLDED = 'other'

/** What {@link SeriesSlots} are made from. */
interface SlotRules {
  /** Names that the labels of a series have. */
  readonly labelNames: readonly string[]
  /** Most series, not counting the one that the others fold into. */
  readonly maxSeries: number
  /** Told of each measurement that has no series of its own. */
  readonly onFold: () => void
}

/** By the value of one label: what the next label decides, or the slot when there is none. */
type Branch = Map<unknown, Branch | number>

/**
 * Numbers the combinations of label values, and gives out at most so many numbers: a label that takes ever new values would otherwise fill
 * the memory here and in Prometheus. Unknown labels are left out, missing ones are empty.
 *
 * A combination is found by going down a tree by its values as they come, numbers too, without making a text of them.
 */
export class SeriesSlots {
  readonly #rules: SlotRules
  readonly #root: Branch = new Map()
  /** The slot of a measurement's labels. */
  readonly slotOf: (labels: MetricLabels) => number
  /** Slots by their values as text: 5 and '5' are one series. */
  readonly #byTexts = new Map<string, number>()
  readonly #labels: Readonly<Record<string, string>>[] = []
  #folded: number | undefined

  constructor(rules: SlotRules) {
    this.#rules = rules
    this.slotOf = descentOf(rules.labelNames, this.#root, (labels) => this.#open(labels))
    // Without labels there is one slot, from the start.
    if (rules.labelNames.length === 0) this.#take([])
  }

  /** The labels of each slot, from the first to the last. */
  get labels(): readonly Readonly<Record<string, string>>[] {
    return this.#labels
  }

  #open(labels: MetricLabels): number {
    const { labelNames, maxSeries, onFold } = this.#rules
    const values = labelNames.map((name) => labels[name])
    const texts = values.map((value) => String(value ?? ''))
    const key = JSON.stringify(texts)
    const known = this.#byTexts.get(key)
    if (known === undefined && this.#byTexts.size >= maxSeries) {
      onFold()
      return (this.#folded ??= this.#take(labelNames.map(() => FOLDED)))
    }
    const slot = known ?? this.#take(texts)
    this.#byTexts.set(key, slot)
    if (values.every(isSimple)) this.#plant(values, slot)
    return slot
  }

  #take(texts: readonly string[]): number {
    return this.#labels.push(Object.fromEntries(this.#rules.labelNames.map((name, index) => [name, texts[index] as string]))) - 1
  }

  #plant(values: readonly unknown[], slot: number): void {
    let branch = this.#root
    for (const value of values.slice(0, -1)) {
      const next = branch.get(value) ?? (new Map() as Branch)
      branch.set(value, next)
      branch = next as Branch
    }
    branch.set(values.at(-1), slot)
  }
}

/** Goes down the tree. Written out for the usual numbers of labels: a loop over the names takes half as long again. */
function descentOf(names: readonly string[], root: Branch, open: (labels: MetricLabels) => number): (labels: MetricLabels) => number {
  const [first, second, third] = names as [string, string, string]
  // The first label is often the same as the time before: a look at it spares one at the tree.
  let latest: unknown
  let latestBranch: Branch | undefined
  const belowRoot = (value: unknown): Branch | undefined => {
    if (value === latest && latestBranch !== undefined) return latestBranch
    latest = value
    return (latestBranch = root.get(value) as Branch | undefined)
  }
  const below = (branch: Branch | number | undefined, value: unknown): Branch | number | undefined => (branch as Branch | undefined)?.get(value)
  switch (names.length) {
    case 0:
      return () => 0
    case 1:
      return (labels) => (root.get(labels[first]) ?? open(labels)) as number
    case 2:
      return (labels) => (below(belowRoot(labels[first]), labels[second]) ?? open(labels)) as number
    case 3:
      return (labels) => (below(below(belowRoot(labels[first]), labels[second]), labels[third]) ?? open(labels)) as number
    default:
      return (labels) => (names.reduce<Branch | number | undefined>((branch, name) => below(branch, labels[name]), root) ?? open(labels)) as number
  }
}

/** What the labels may be by their type: each has few forms of the same text, and none keeps anything else in memory. */
function isSimple(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || value === undefined
}
