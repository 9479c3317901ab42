import type { CommandLine } from '@smart-whale/app-process'
import { check } from './commands/check.ts'
import { dropDeadLetters } from './commands/dead-letters/drop.ts'
import { listDeadLetters } from './commands/dead-letters/list.ts'
import { patchDeadLetters } from './commands/dead-letters/patch.ts'
import { replayDeadLetters } from './commands/dead-letters/replay.ts'
import { showDeadLetters } from './commands/dead-letters/show.ts'
import { lag } from './commands/lag.ts'
import { run } from './commands/run.ts'
import { takeOver } from './commands/take-over.ts'
import { verify } from './commands/verify.ts'
import { HELP } from './config.ts'
import { OWN_EXIT_CODES } from './exit-codes.ts'

/** The commands of the ingestor. */
export const CLI: CommandLine = {
  name: 'smart-whale-ingestor',
  summary: 'Smart Whale stream ingestor: topics into ClickHouse and TimescaleDB, each event exactly once.',
  commands: [run, check, verify, lag, listDeadLetters, showDeadLetters, patchDeadLetters, replayDeadLetters, dropDeadLetters, takeOver],
  defaultCommand: 'run',
  help: HELP,
  exitCodes: OWN_EXIT_CODES,
}
