// What a dead letter is
export { DEAD_LETTER_HEADERS, deadLetterRecord, deadLetterTopic, type DeadLetterReason, type FailedRecord } from '../dead-letter.ts'

// Reading
export { type DeadLetter, type DeadLetterOrigin, readDeadLetters, type ReadDeadLettersOptions } from './read-dead-letters.ts'
export { letterVersion, SCHEMA_VERSION_HEADER, type VersionOfLetter } from './letter-version.ts'
export { type FateOf, type LetterFate, readFates } from './read-fates.ts'
export { letterDecoder, type LetterDecoder } from './judge-letter.ts'
export { deadLetterFilter, type DeadLetterSelection } from './select-dead-letters.ts'
export { type DeadLetterGroup, groupDeadLetters } from './group-dead-letters.ts'
export { type DeadLetterView, inspectDeadLetter, type InspectOptions, type ValueView } from './inspect-dead-letter.ts'

// Mending
export { type DeadLetterPatch, patchedValue, patchFromFields, type PatchFields } from './patch-dead-letter.ts'
export { replayDeadLetters, type ReplayOptions, type ReplayReport } from './replay-dead-letters.ts'
export { dropDeadLetters, type DropOptions } from './drop-dead-letters.ts'
export { REPLAY_OF_HEADER } from './find-replayed.ts'
export { journalTopic } from './replay-journal.ts'
