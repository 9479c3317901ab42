import type { SliceLedger, SliceScope } from '../slice-ledger.ts'
import { contractCase, type ContractCase, uniqueName } from './contract-case.ts'

/** A `SliceLedger` as `sliceLedgerContract` checks it. */
export interface SliceLedgerSubject {
  /** A ledger, as after a restart: every one that is created sees what the earlier ones wrote. Called more than once in a case. */
  create(): Promise<SliceLedger>
  /** Runs for each created ledger at the end of its case. */
  dispose?(ledger: SliceLedger): Promise<void>
}

/** What a case works with. */
export interface LedgerBench {
  readonly ledger: SliceLedger
  readonly scope: SliceScope
  /** Another instance over the same store. */
  restart(): Promise<SliceLedger>
}

/** A case of the contract, with a partition that nobody has claimed. */
export function ledgerCase(name: string, run: (bench: LedgerBench) => Promise<void>): ContractCase<SliceLedgerSubject> {
  return contractCase(name, async (subject) => {
    const created: SliceLedger[] = []
    const restart = async (): Promise<SliceLedger> => {
      const ledger = await subject.create()
      created.push(ledger)
      return ledger
    }
    try {
      await run({ ledger: await restart(), scope: { pipeline: uniqueName('pipeline'), topicId: uniqueName('topic'), partition: 0 }, restart })
    } finally {
      for (const ledger of created) await subject.dispose?.(ledger)
    }
  })
}
