import { groupCases } from './group-cases.ts'
import { handoverCases } from './handover-cases.ts'
import { recordCases } from './record-cases.ts'
import { sendCases } from './send-cases.ts'
import type { TransportCase } from './subject.ts'
import { transactionCases } from './transaction-cases.ts'

export type { TransportCase, TransportSubject } from './subject.ts'

/** What every transport must do, for any test runner. */
export const transportContract: readonly TransportCase[] = [...recordCases, ...sendCases, ...groupCases, ...handoverCases, ...transactionCases]
