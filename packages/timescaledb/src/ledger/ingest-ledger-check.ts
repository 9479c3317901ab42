import type { Slice, SliceScope, ValidationIssue } from '@smart-whale/interfaces'
import { TimescaleValidationError } from '../errors.ts'

/** The largest offset that a broker can hand out: 64 bits, signed. */
const MAX_OFFSET = 2n ** 63n - 1n
const MAX_PARTITION = 2 ** 31 - 1

/** @throws TimescaleValidationError naming the part of the scope that can't be kept */
export function checkScope(scope: SliceScope): void {
  const issues: ValidationIssue[] = [...textIssues('pipeline', scope.pipeline), ...textIssues('topicId', scope.topicId)]
  const { partition } = scope
  if (!Number.isInteger(partition) || partition < 0 || partition > MAX_PARTITION) {
    issues.push({ path: ['partition'], message: 'must be a whole number from 0 to 2147483647' })
  }
  refuse('the partition to keep progress of', issues)
}

/** @throws TimescaleValidationError when an owner's name can't be kept */
export function checkOwner(owner: string): void {
  refuse('the owner of a claim', textIssues('owner', owner))
}

/** @throws TimescaleValidationError when a partition can't begin there */
export function checkStartOffset(offset: bigint): void {
  refuse('the offset to begin at', offsetIssues('startOffset', offset))
}

/** @throws TimescaleValidationError when no larger epoch could be kept */
export function checkEpoch(epoch: bigint): void {
  if (epoch < MAX_OFFSET) return refuse('the epoch to exceed', offsetIssues('aboveEpoch', epoch))
  refuse('the epoch to exceed', [{ path: ['aboveEpoch'], message: `must be less than ${MAX_OFFSET}` }])
}

/** @throws TimescaleValidationError naming what of the slice makes no sense by itself */
export function checkSlice(slice: Slice): void {
  const issues = [...offsetIssues('firstOffset', slice.firstOffset), ...offsetIssues('lastOffset', slice.lastOffset), ...textIssues('token', slice.token)]
  if (issues.length === 0 && slice.lastOffset < slice.firstOffset) {
    issues.push({ path: ['lastOffset'], message: `must not be before firstOffset ${slice.firstOffset}, found ${slice.lastOffset}` })
  }
  if (issues.length === 0) issues.push(...excludedIssues(slice))
  if (slice.deadLettersFrom !== undefined) issues.push(...offsetIssues('deadLettersFrom.offset', slice.deadLettersFrom.offset))
  refuse('the slice', issues)
}

function excludedIssues({ firstOffset, lastOffset, excluded }: Slice): ValidationIssue[] {
  if (!Array.isArray(excluded)) return [{ path: ['excluded'], message: 'must be an array of bigint; give [] for none' }]
  const offsets: readonly unknown[] = excluded
  const wrong = offsets.findIndex((offset, index) => {
    if (typeof offset !== 'bigint' || offset < firstOffset || offset > lastOffset) return true
    return index > 0 && offset <= (offsets[index - 1] as bigint)
  })
  if (wrong < 0) return []
  return [{ path: ['excluded', wrong], message: `must be a bigint from ${firstOffset} to ${lastOffset}, and larger than the one before` }]
}

function offsetIssues(field: string, offset: unknown): ValidationIssue[] {
  if (typeof offset === 'bigint' && offset >= 0n && offset <= MAX_OFFSET) return []
  const found = typeof offset === 'bigint' ? offset.toString() : typeof offset
  return [{ path: [field], message: `must be a bigint from 0 to ${MAX_OFFSET}, found ${found}` }]
}

function textIssues(field: string, text: unknown): ValidationIssue[] {
  if (typeof text === 'string' && text.length > 0 && !text.includes('\0')) return []
  return [{ path: [field], message: `must be a text that is not empty and holds no zero byte, found ${typeof text}` }]
}

function refuse(what: string, issues: readonly ValidationIssue[]): void {
  const [first] = issues
  if (first) throw new TimescaleValidationError(`${what} is wrong: ${first.path.join('.')} ${first.message}`, { issues })
}
