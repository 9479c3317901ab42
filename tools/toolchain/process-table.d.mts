export interface ProcessEntry {
  readonly pid: number
  readonly parent: number
  readonly name: string
  /** Only tells one process from a later one with the same number. */
  readonly startedAt: string
}
export function findProcess(pid: number): ProcessEntry | undefined
export function listProcesses(): ProcessEntry[]
export function descendantsOf(pid: number, processes?: readonly ProcessEntry[]): ProcessEntry[]
export function isAlive(entry: Pick<ProcessEntry, 'pid'> & { readonly startedAt: string | undefined }): boolean
