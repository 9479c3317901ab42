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

/** A window is counted in this many slices: what was spent falls out of it slice by slice. */
export const SLICES_PER_WINDOW = 12

/** Whether something in the slice may have been spent within the window that ends now. */
export function isWithinWindow({ startMs }: SpentSlice, windowMs: number, nowMs: number): boolean {
  return startMs + windowMs / SLICES_PER_WINDOW > nowMs - windowMs
}

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
