import type { DoctorRule } from './rule.ts'
import { lowCardinality, needlessNullable } from './rules/columns.ts'
import { deduplicationOff, smallInserts } from './rules/ingest.ts'
import { leftBehindColumns } from './rules/left-behind-columns.ts'
import { missingIndex, unusedKey } from './rules/logged-queries.ts'
import { stuckMutations } from './rules/mutations.ts'
import { detachedParts, overPartitioning, tooManyParts } from './rules/parts.ts'
import { missingReplicas, readonlyReplicas, replicationLag } from './rules/replication.ts'
import { diskSpace, memoryLimits, recentErrors, serverWarnings } from './rules/resources.ts'
import { noRetention, systemLogs } from './rules/retention.ts'
import { highCardinalityFirst, nullableKey } from './rules/sorting-keys.ts'
import { usersWithoutLimits } from './rules/users.ts'
import { failingRefreshes, failingViews } from './rules/views.ts'

/** Every rule, what fails or loses first. */
export const ALL_RULES: readonly DoctorRule[] = [
  deduplicationOff,
  failingViews,
  failingRefreshes,
  stuckMutations,
  leftBehindColumns,
  tooManyParts,
  detachedParts,
  readonlyReplicas,
  replicationLag,
  missingReplicas,
  diskSpace,
  memoryLimits,
  recentErrors,
  systemLogs,
  noRetention,
  overPartitioning,
  smallInserts,
  unusedKey,
  missingIndex,
  highCardinalityFirst,
  nullableKey,
  needlessNullable,
  lowCardinality,
  usersWithoutLimits,
  serverWarnings,
]
