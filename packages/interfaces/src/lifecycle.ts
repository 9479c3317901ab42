/** Something that runs. `start` and `stop` may be called twice; after `stop` no timer, socket or handle is left. */
export interface Lifecycle {
  start(options?: { signal?: AbortSignal | undefined }): Promise<void>
  stop(options?: { signal?: AbortSignal | undefined }): Promise<void>
}
