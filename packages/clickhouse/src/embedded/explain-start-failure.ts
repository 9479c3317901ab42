import { ConfigurationError, type InfrastructureError } from '@smart-whale/interfaces'
import type { ClickHouseErrorCode } from '../errors.ts'
import { OperationalError } from '../operational-errors.ts'
import type { ServerExit } from './start-options.ts'

/** Why a server that was just started ended at once. */
export type StartFailure = 'folder-busy' | 'port-in-use' | 'folder-corrupt' | 'other'

// Error codes with which ClickHouse gives up on files that it can't make sense of (ErrorCodes.cpp has their names).
const CORRUPT_CODES = new Set([1, 6, 27, 32, 33, 34, 36, 40, 49, 57, 62, 79, 80, 107, 117, 226, 228, 233, 246, 269, 271, 318, 331, 387, 432, 479, 606, 999, 1001])

/** Reads the reason out of what the server wrote before it ended. */
export function classifyStartFailure(exit: ServerExit): StartFailure {
  if (/Cannot lock file|Another server instance in same directory/.test(exit.lastWords)) return 'folder-busy'
  if (/Address already in use/.test(exit.lastWords)) return 'port-in-use'
  const code = /Code: (\d+)\. DB::/.exec(exit.lastWords)?.[1]
  return code !== undefined && CORRUPT_CODES.has(Number(code)) ? 'folder-corrupt' : 'other'
}

/** One clear error for a start that failed. */
export function explainStartFailure(exit: ServerExit, dataDir: string, port: number): InfrastructureError<ClickHouseErrorCode | 'ERR_ABORTED'> {
  const context = { dataDir, port, exitCode: exit.code, exitSignal: exit.signal }
  const reason = serverReason(exit.lastWords) ?? (exit.signal ? `killed by ${exit.signal}` : `exit code ${exit.code ?? 'unknown'}, without a word`)
  switch (classifyStartFailure(exit)) {
    case 'folder-busy':
      return folderBusyError(dataDir)
    case 'port-in-use':
      return portInUseError(port)
    case 'folder-corrupt':
      return folderCorruptError(dataDir, reason, context)
    case 'other':
      return new OperationalError(`the embedded ClickHouse ended while starting on "${dataDir}": ${reason}`, { code: 'ERR_CLICKHOUSE_START_FAILED', context })
  }
}

/** The folder belongs to a server that lives. */
export function folderBusyError(dataDir: string): OperationalError {
  return new OperationalError(
    `the data folder "${dataDir}" is in use by another ClickHouse server; stop that one, or name another folder`,
    { code: 'ERR_CLICKHOUSE_FOLDER_BUSY', retryable: true, status: 503, context: { dataDir } },
  )
}

/** The port asked for is taken. */
export function portInUseError(port: number): ConfigurationError<ClickHouseErrorCode> {
  return new ConfigurationError(`port ${port} on 127.0.0.1 is in use; stop what listens there, or choose another port (0 takes a free one)`, {
    code: 'ERR_CLICKHOUSE_PORT_IN_USE',
    context: { port },
  })
}

/** A server that runs and still refuses its owner's first statement can't work with its folder. */
export function explainRefusal(answer: string, dataDir: string): OperationalError {
  return folderCorruptError(dataDir, serverReason(answer) ?? 'it gave no reason', { dataDir })
}

function folderCorruptError(dataDir: string, reason: string, context: Readonly<Record<string, unknown>>): OperationalError {
  return new OperationalError(`the ClickHouse data in "${dataDir}" can't be opened: ${reason}; restore the folder from a backup, or start with an empty one`, {
    code: 'ERR_CLICKHOUSE_FOLDER_CORRUPT',
    context,
  })
}

/** The server's own sentence on one line, without code, version and stack. */
function serverReason(text: string): string | undefined {
  const sentences = [...text.matchAll(/DB::\w*Exception: ([^\n]+)/g)].map((match) => match[1] ?? '')
  const sentence = sentences.at(-1) ?? text.split('\n').find((line) => line.trim() !== '')
  return sentence
    ?.replace(/ \(version [^)]*\).*$/, '')
    .replace(/\.? \([A-Z_]+\)$/, '')
    .replace(/^(?:Code: \d+\. DB::\w*Exception: )+/, '')
    .replace(/Expected one of: .*?(?=: (?:Cannot|while)|$)/, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 500)
}
