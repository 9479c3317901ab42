/** Who is told when work has ended that went on though nobody waited for it any more. */
export class LateEnds {
  #waiting: readonly { readonly turn: number; readonly end: () => void }[] = []

  /** @param turn of the run, when that work was begun */
  add(turn: number, end: () => void): void {
    this.#waiting = [...this.#waiting, { turn, end }]
  }

  /** The work of that turn has ended. */
  ended(turn: number): void {
    const told = this.#waiting.filter((late) => late.turn === turn)
    this.#waiting = this.#waiting.filter((late) => late.turn !== turn)
    for (const { end } of told) end()
  }
}
