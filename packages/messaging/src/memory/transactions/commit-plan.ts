import type { GroupProgress } from '../broker-store.ts'
import type { FramePart } from '../log/frame.ts'

/** Records of one partition, and the offset that the first of them gets. */
export interface PlannedAppend {
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  readonly parts: readonly FramePart[]
}

/** A group's progress in one partition, under the group's own name of it. */
export interface PlannedProgress extends GroupProgress {
  readonly groupId: string
  readonly key: string
}

/** All that a transaction does once it is decided; doing it twice does nothing the second time. */
export interface CommitPlan {
  readonly appends: readonly PlannedAppend[]
  readonly progress: readonly PlannedProgress[]
}

/** How many records there are in all parts. */
export const recordsIn = (parts: readonly FramePart[]): number => parts.reduce((sum, part) => sum + part.records, 0)

type StoredPart = Omit<FramePart, 'body'> & { readonly body: string }

/** A plan as it goes into a file of JSON. */
export type StoredPlan = Omit<CommitPlan, 'appends'> & { readonly appends: readonly (Omit<PlannedAppend, 'parts'> & { readonly parts: readonly StoredPart[] })[] }

/** The plan for a file. */
export function storedPlan({ appends, progress }: CommitPlan): StoredPlan {
  return { appends: appends.map((append) => ({ ...append, parts: append.parts.map((part) => ({ ...part, body: part.body.toString('base64') })) })), progress }
}

/** The plan of a file. */
export function planOf({ appends, progress }: StoredPlan): CommitPlan {
  return { appends: appends.map((append) => ({ ...append, parts: append.parts.map((part) => ({ ...part, body: Buffer.from(part.body, 'base64') })) })), progress }
}
