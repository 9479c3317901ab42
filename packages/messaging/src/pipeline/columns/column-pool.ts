import { ColumnBuilder, type ColumnShape } from './column-builder.ts'

/** Of as many slices as one partition has at a time: one that is read, and one that is written. */
const MOST_SETS = 2
/** Uses with hardly a row, after which a set's memory is let go: ten seconds' worth, at the usual age of a slice. */
const MOST_IDLE_USES = 40
const FEW_ROWS = 100

/** The columns of a slice. */
interface ColumnSet {
  readonly builders: readonly ColumnBuilder[]
  idleUses: number
}

/**
 * Columns whose slice was stored, to be filled anew: fresh pages for each slice cost more than the rows in them. Shared by the partitions of a
 * pipeline, so that it has columns for the slices that are in work, and not for each partition.
 */
export class ColumnPool {
  /** The one that was used longest ago comes first, so that none rests for ever. */
  readonly #sets: ColumnSet[] = []
  readonly #idleUses = new WeakMap<readonly ColumnBuilder[], number>()

  take(shapes: readonly ColumnShape[]): readonly ColumnBuilder[] {
    const set = this.#sets.shift()
    if (set === undefined) return shapes.map((shape) => new ColumnBuilder(shape))
    this.#idleUses.set(set.builders, set.idleUses)
    return set.builders
  }

  giveBack(builders: readonly ColumnBuilder[]): void {
    const idleUses = (builders[0]?.rows ?? 0) < FEW_ROWS ? (this.#idleUses.get(builders) ?? 0) + 1 : 0
    if (this.#sets.length < MOST_SETS && idleUses < MOST_IDLE_USES) this.#sets.push({ builders, idleUses })
  }
}
