import type { AbuseCase } from './abuse-case.ts'
import { COUNTS, ERROR_TEXTS, EXHAUSTION, HOST, SYSTEM_TABLES, TIMING } from './looking-around.ts'
import { FILES, SOCKETS, TABLE_FUNCTION_CASES } from './reaching-out.ts'
import { ROWS } from './rows.ts'
import { SETTINGS, STATEMENTS, WRITING } from './statements.ts'

/** Every case, category by category. */
export const ABUSE_CASES: readonly AbuseCase[] = [...ROWS, ...FILES, ...SOCKETS, ...TABLE_FUNCTION_CASES, ...SETTINGS, ...STATEMENTS, ...WRITING, ...SYSTEM_TABLES, ...ERROR_TEXTS, ...COUNTS, ...TIMING, ...HOST, ...EXHAUSTION]
