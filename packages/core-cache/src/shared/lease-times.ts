/** How long a node may answer from memory after it asked for a renewal. The same for all nodes of all versions: who waits for a lease's end must know how long it is. */
export const LEASE_MS = 1500
/** What a node takes off its own leases, and an invalidation adds to those that it waits for, as clocks don't tick alike. */
export const CLOCK_DRIFT = 0.02
/** So often a node renews. */
export const RENEW_EVERY_MS = 375
/** A renewal that takes longer has failed. */
export const RENEWAL_TIMEOUT_MS = 500
