export interface LockOptions {
  onWait?: (ownerPid: number) => void
  isCancelled?: () => boolean
  giveUpMs?: number
}
export function withLock<T>(path: string, options: LockOptions, work: (noteChild: (child: { readonly pid?: number | undefined }) => void) => Promise<T>): Promise<T>
