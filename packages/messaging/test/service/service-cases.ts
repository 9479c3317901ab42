import { consumptionCases } from './consumption-cases.ts'
import { failureCases } from './failure-cases.ts'
import { laneCases } from './lane-cases.ts'
import { requestCases } from './request-cases.ts'
import type { ServiceCase } from './service-subject.ts'
import { transactionCases } from './transaction-cases.ts'

/** What the service must do on every transport. */
export const SERVICE_CASES: Readonly<Record<string, readonly ServiceCase[]>> = {
  'asking and answering': requestCases,
  'handing messages over': consumptionCases,
  'messages that can not be handled': failureCases,
  'priorities and traces': laneCases,
  'transactions': transactionCases,
}
