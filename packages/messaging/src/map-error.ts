import { InfrastructureError } from '@smart-whale/interfaces'
import { messagingError } from './errors.ts'

/** What the disk may refuse now and take later, once somebody has made room. */
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY'])

/** A failure of the file system as an error of ours; one that is ours already passes as it is. */
export function mapFileError(error: unknown, path: string, what: string): InfrastructureError {
  if (InfrastructureError.isInstance(error)) return error
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return messagingError('ERR_MESSAGING_LOG_FAILED', `${what} ${path} failed${code === undefined ? '' : ` (${code})`}: ${remedyFor(code)}`, {
    cause: error,
    retryable: code !== undefined && PASSING.has(code),
    status: 503,
    context: { path, fileErrorCode: code },
  })
}

/** Does something with files below a path; what the file system refuses is thrown as an error of ours. */
export async function onDisk<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw mapFileError(error, path, what)
  }
}

function remedyFor(code: string | undefined): string {
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'free disk space, then try again'
  if (code === 'EROFS') return 'its file system is mounted read-only: mount it for writing, or name another data folder'
  if (code === 'EACCES' || code === 'EPERM') return 'let the process write to the data folder'
  if (code === 'EFBIG') return "the file is larger than the process may make one (ulimit -f) or its file system can: raise the limit, or lower segmentBytes"
  if (code === 'ENOENT') return 'was it moved or deleted while the broker ran?'
  if (code === 'EMFILE' || code === 'ENFILE') return 'raise the limit of open files'
  return 'look at the disk'
}
