import type { Command } from '../command.ts'
import { adviseCommand, explain } from './advice.ts'
import { backupCreate, backupDelete, backupList, backupRestore, backupVerify } from './backup.ts'
import { doctor } from './doctor.ts'
import { checkIsolationCommand } from './isolation.ts'
import { migrateDown, migrateDrift, migratePlan, migrateSettle, migrateStatus, migrateUp } from './migrate.ts'
import { exportAnswer, optimize, types } from './tables.ts'

/** Every command, in the order of the overview. */
export const COMMANDS: readonly Command[] = [
  migrateUp,
  migrateDown,
  migrateStatus,
  migratePlan,
  migrateDrift,
  migrateSettle,
  backupCreate,
  backupRestore,
  backupList,
  backupVerify,
  backupDelete,
  doctor,
  adviseCommand,
  explain,
  optimize,
  types,
  exportAnswer,
  checkIsolationCommand,
]
