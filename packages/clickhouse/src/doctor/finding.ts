/** `critical`: it fails or loses now or soon; `warning`: it will, or costs much; `advice`: it could be cheaper. */
export type Severity = 'critical' | 'warning' | 'advice'

/** A statement that mends something. */
export interface Fix {
  readonly sql: string
  /** What it takes or loses, where that is more than a moment: rows that are deleted, parts that are written anew. */
  readonly caution?: string
}

/** One thing that is not as it should be. */
export interface DoctorFinding {
  readonly rule: string
  readonly severity: Severity
  /** What it is about: `database.table`, `database.table.column`, a disk, a user. */
  readonly object: string
  /** What is wrong, with the figures that show it, and what it leads to. */
  readonly reason: string
  /** The figures, for programs. */
  readonly figures: Readonly<Record<string, number | string>>
  /** Statements that mend it, in order; none when no statement does. */
  readonly fixes: readonly Fix[]
  /** What to do where statements alone don't do. */
  readonly advice?: string
}

/** A rule that could not look. */
export interface UnseenRule {
  readonly rule: string
  /** Why not, and what would let it. */
  readonly reason: string
}
