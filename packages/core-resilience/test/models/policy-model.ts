/** A policy beside the rules it should follow, written once more in the plainest way. */
export interface PolicyModel {
  readonly name: string
  /** Runs so many random histories on both and throws, with the shortest history found, where they differ. */
  check(runs: number, seed: number): Promise<void>
}
