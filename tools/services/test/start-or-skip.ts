import { describeFailure, ServiceError } from '../src/service-error.ts'

/** What was started, or what this machine lacks for it. Any other failure is one. */
export async function startOr<T>(start: () => Promise<T>): Promise<{ started: T | undefined; lack: string }> {
  try {
    return { started: await start(), lack: '' }
  } catch (error) {
    if (!(error instanceof ServiceError && error.code === 'ERR_SERVICES_MISSING')) throw error
    return { started: undefined, lack: describeFailure(error) }
  }
}
