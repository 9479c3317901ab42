/** What was spent within one slice of time. */
export interface Spending {
  readonly queries: number
  readonly rowsRead: number
  readonly bytesRead: number
  readonly serverMs: number
}

/** What was spent in the slice that began at `startMs`, since the epoch. */
export interface SpentSlice extends Spending {
  readonly startMs: number
}

/** Nothing at all. */
export const NOTHING_SPENT: Spending = { queries: 0, rowsRead: 0, bytesRead: 0, serverMs: 0 }

/** Both together. */
export function addSpending(one: Spending, other: Spending): Spending {
  return {
    queries: one.queries + other.queries,
    rowsRead: one.rowsRead + other.rowsRead,
    bytesRead: one.bytesRead + other.bytesRead,
    serverMs: one.serverMs + other.serverMs,
  }
}

/** Where it is kept what each tenant has spent; one for a process, or one that several processes share. */
export interface QuotaStore {
  /** Slices of the window that ends now, in any order; those of other processes as well where they are known. */
  read(key: string, windowMs: number): Promise<readonly SpentSlice[]>
  /** Adds what was spent to the slice of now. */
  add(key: string, spent: Spending, windowMs: number): Promise<void>
}
