import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FlightsWorkerData } from './flights-worker.ts'
import type { SampleEvent, SampleSize } from './sample-files.ts'
import type { IdSet } from './sent-ids.ts'

/**
 * The flights that were not sent yet, read in a thread of its own: unpacking a row group takes more than half a second and
 * hundreds of megabytes, which neither the requests that are served meanwhile nor the process afterwards should pay for.
 */
export async function* readFlightsApart(size: SampleSize, sent: IdSet, signal: AbortSignal): AsyncIterable<SampleEvent[]> {
  const data: FlightsWorkerData = { size, sent: sent.bits }
  const worker = new Worker(new URL('./flights-worker.ts', import.meta.url), { workerData: data })
  try {
    for (;;) {
      const [events] = (await once(worker, 'message', { signal })) as [SampleEvent[] | null]
      if (events === null) return
      yield events
      worker.postMessage('next')
    }
  } finally {
    await worker.terminate()
  }
}
