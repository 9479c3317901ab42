import { ConnectionError } from '@smart-whale/interfaces'
import type { IngestSummary } from './summary-routes.ts'

/** Asks an ingestor of its own how its streams are doing: `GET /pipelines`, which holds counts and names alone. */
export async function fetchIngestSummary(ingestorUrl: string): Promise<IngestSummary> {
  try {
    const response = await fetch(new URL('/pipelines', ingestorUrl), { signal: AbortSignal.timeout(2000) })
    if (!response.ok) throw new ConnectionError(`the ingestor answered ${response.status}`)
    return (await response.json()) as IngestSummary
  } catch (error) {
    throw new ConnectionError('the ingestor did not answer', { cause: error })
  }
}
