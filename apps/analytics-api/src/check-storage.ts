import { type CallOptions, type HealthResult, InfrastructureError, type StorageInterface } from '@smart-whale/interfaces'

/** Whether a store answers. Never throws. */
export async function checkStorage(storage: StorageInterface, call: CallOptions): Promise<HealthResult> {
  try {
    await storage.execute('select 1 as alive', [], { timeoutMs: 2000, ...call })
    return { status: 'up' }
  } catch (error) {
    return { status: 'down', detail: InfrastructureError.isInstance(error) ? error.code : 'ERR_INTERNAL' }
  }
}
