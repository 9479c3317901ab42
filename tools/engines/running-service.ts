import { whatRuns } from '../services/src/cli/bring-up.ts'
import { openStateFile } from '../services/src/cli/state-file.ts'
import { SERVICES, type Variables } from '../services/src/service-catalogue.ts'

/** What programs are told of a service that `npm run services -- up` runs and that answers; nothing otherwise. */
export async function findRunningService(name: string): Promise<Variables> {
  const service = SERVICES.find((known) => known.name === name)
  return (service && (await whatRuns(service, openStateFile()))) ?? {}
}
