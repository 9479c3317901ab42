import type { TimescaleDBErrorCode } from '../errors.ts'

/** The account that PostgreSQL runs under when it can't run under ours: it refuses to run as root. */
export interface ServerAccount {
  readonly uid: number
  readonly gid: number
}

/** What the supervisor is told first, as one line of JSON on its standard input. */
export interface SupervisorJob {
  /** Folder of `initdb` and `postgres`. */
  readonly binFolder: string
  readonly dataDir: string
  /** 0 lets the supervisor choose a free one. */
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  /** `null` runs the server under the supervisor's own account. */
  readonly account: ServerAccount | null
  /** Who owns the server: noted in the folder, so that a later start knows whether the owner still lives. */
  readonly parentPid: number
  readonly startTimeoutMs: number
}

/** What the parent may say later: one JSON line each. End of input means that the parent is gone. */
export interface SupervisorCommand {
  readonly command: 'stop'
}

/** How the server's process ended. */
export interface ServerExit {
  readonly code: number | null
  readonly signal: string | null
}

/** What the supervisor reports: one JSON line each. */
export type SupervisorReport =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'ready'; readonly pid: number; readonly port: number; readonly password: string }
  | { readonly kind: 'failed'; readonly code: TimescaleDBErrorCode; readonly message: string; readonly context: Record<string, unknown> }
  | { readonly kind: 'log'; readonly line: string }
  | ({ readonly kind: 'exited' } & ServerExit)

/** Why the server can't be started; crosses the process boundary as a `failed` report. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure'
  readonly code: TimescaleDBErrorCode
  readonly context: Record<string, unknown>

  constructor(code: TimescaleDBErrorCode, message: string, context: Record<string, unknown> = {}) {
    super(message)
    this.code = code
    this.context = context
  }
}
