/** A pipeline's proposal to have a table. */
export interface Proposal {
  /** Grows with each take-over. */
  readonly generation: bigint
  readonly pipeline: string
  /** Names this very proposal. */
  readonly id: string
}

/**
 * Where proposals are written down. Of all that is asked of a store, only this is taken for granted: what was written is seen by everybody from then on, a
 * proposal finds out by itself, when the store begins with it, whether there is one already, and one that the store has begun with is listed until it has ended.
 */
export interface ProposalRegister {
  /** The first proposal of the latest generation, by the order that they have once all are there; null when there is none at all. */
  first(): Promise<Proposal | null>
  /** Writes a proposal down, unless there is one of its generation or a later one when the store begins with it; then nothing happens. */
  propose(generation: bigint, pipeline: string): Promise<void>
  /** Resolves once none of the proposals runs any more that had begun when it was called. */
  settled(): Promise<void>
}

/**
 * The pipeline that has the table, the same one for all who ask, however many proposals were written at once.
 *
 * Nobody can be first by writing: two that begin at the same moment both find nothing, and both are written. But whatever begins once *one* proposal is seen is
 * refused, and what began before ends. So who has seen one, and waited for what was running then, sees all that there will ever be of that generation.
 *
 * @param known what was agreed on before: as long as it still is the first, nothing has to be waited for
 * @returns null when nobody has proposed anything
 */
export async function agreedHolder(register: ProposalRegister, known: Proposal | null): Promise<Proposal | null> {
  for (;;) {
    const seen = await register.first()
    if (seen === null || isSame(seen, known)) return seen
    await register.settled()
    const first = await register.first()
    // A take-over has begun a generation since, which has to settle as well.
    if (first?.generation === seen.generation) return first
  }
}

/** Proposes a pipeline for the generation behind the one that was agreed on, and answers whose the table is by that. */
export async function agreeOnHolder(register: ProposalRegister, pipeline: string, before: Proposal | null): Promise<Proposal> {
  for (;;) {
    await register.propose((before?.generation ?? 0n) + 1n, pipeline)
    const agreed = await agreedHolder(register, before)
    // Where nothing is there, whoever was first is gone with the table that had it.
    if (agreed !== null && !isSame(agreed, before)) return agreed
  }
}

function isSame(one: Proposal, other: Proposal | null): boolean {
  return other !== null && one.generation === other.generation && one.id === other.id
}
