import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { readFlights, type SampleSize } from './sample-files.ts'
import { IdSet } from './sent-ids.ts'

/** What the worker is told. */
export interface FlightsWorkerData {
  readonly size: SampleSize
  /** Rows that are not wanted, a bit each. */
  readonly sent: Uint8Array
}

const { size, sent } = workerData as FlightsWorkerData
const ids = IdSet.of(sent)

// One row group ahead of whoever asks, and no further: each is sent when the last one has been taken.
for await (const events of readFlights(size, (id) => !ids.has(id))) {
  parentPort?.postMessage(events)
  if (parentPort !== null) await once(parentPort, 'message')
}
parentPort?.postMessage(null)
