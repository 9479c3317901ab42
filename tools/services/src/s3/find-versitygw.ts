import { installByGo } from '../go/install-by-go.ts'
import type { Progress } from '../install-once.ts'

/** The version that everything here was tried with. */
export const VERSITYGW_VERSION = '1.8.0'

/** Finds the program of Versity's S3 gateway in the cache, or lets Go build it. @throws ServiceError `ERR_SERVICES_MISSING` where there is no Go */
export function findVersityGateway(progress?: Progress): Promise<string> {
  return installByGo(
    { title: 'the S3 server (versitygw)', name: 'versitygw', program: 'versitygw', path: 'github.com/versity/versitygw/cmd/versitygw', version: VERSITYGW_VERSION, buildTimeoutMs: 600_000 },
    progress,
  )
}
