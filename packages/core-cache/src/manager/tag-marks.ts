/** Stands for a tag in the entries that have it; dead when the tag has been invalidated since they came. */
export interface TagMark {
  readonly tag: string
  isDead: boolean
}

/**
 * Tags of entries in memory: one mark a tag, shared by its entries, so that invalidating a tag is one write however many entries have it, and no index has to be
 * kept when entries leave.
 */
export class TagMarks {
  readonly #living = new Map<string, TagMark>()

  get size(): number {
    return this.#living.size
  }

  marksOf(tags: readonly string[]): readonly TagMark[] | undefined {
    return tags.length === 0 ? undefined : tags.map((tag) => this.#markOf(tag))
  }

  invalidate(tag: string): void {
    const mark = this.#living.get(tag)
    if (mark === undefined) return
    mark.isDead = true
    this.#living.delete(tag)
  }

  /** Keeps none but these: tags whose entries have all left need no mark. */
  keepOnly(used: ReadonlySet<TagMark>): void {
    for (const [tag, mark] of this.#living) if (!used.has(mark)) this.#living.delete(tag)
  }

  #markOf(tag: string): TagMark {
    const known = this.#living.get(tag)
    if (known !== undefined) return known
    const mark = { tag, isDead: false }
    this.#living.set(tag, mark)
    return mark
  }
}

/** Whether none of an entry's tags has been invalidated since it came. */
export function areAlive(marks: readonly TagMark[] | undefined): boolean {
  if (marks === undefined) return true
  for (const mark of marks) if (mark.isDead) return false
  return true
}
