import { installByGo } from '../go/install-by-go.ts'
import type { Progress } from '../install-once.ts'

/** The version that everything here was tried with. */
export const TOXIPROXY_VERSION = '2.12.0'

/** Finds Toxiproxy's program in the cache, or lets Go build it. @throws ServiceError `ERR_SERVICES_MISSING` where there is no Go */
export function findToxiproxy(progress?: Progress): Promise<string> {
  return installByGo(
    { title: 'Toxiproxy', name: 'toxiproxy', program: 'toxiproxy-server', path: 'github.com/Shopify/toxiproxy/v2/cmd/server', version: TOXIPROXY_VERSION, buildTimeoutMs: 300_000 },
    progress,
  )
}
