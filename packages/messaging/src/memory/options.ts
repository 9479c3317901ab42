import { type Clock, type Logger, silentLogger, systemClock } from '@smart-whale/interfaces'
import { kindOf, optionError } from '../errors.ts'
import type { Durability } from './log/file-segment-bytes.ts'

/** How an embedded broker keeps its topics. */
export interface MemoryBrokerOptions {
  /** Folder of the log on disk; one broker at a time may use it. @default none: everything is gone with the process */
  dataDir?: string | undefined
  /** Bytes that one topic may have. Beyond them a sender waits for retention to make room, then fails. @default 256 MiB in memory, 8 GiB on disk */
  maxTopicBytes?: number | undefined
  /** Bytes that the key and value of one record may have together. @default 1_048_576 */
  maxRecordBytes?: number | undefined
  /** Bytes that may wait to be written in one partition; beyond them a sender waits. @default 8_388_608 */
  maxPendingBytes?: number | undefined
  /** Bytes that one transaction may hold before it is committed. @default 67_108_864 */
  maxTransactionBytes?: number | undefined
  /**
   * When a record counts as durable: `fsync`, when it is on the disk; `write`, when the operating system has it
   * (it survives the end of the process, not a power failure). @default 'fsync'
   */
  durability?: Durability | undefined
  /** Bytes of one segment of a partition; retention removes whole segments. @default 4 MiB in memory, 32 MiB on disk */
  segmentBytes?: number | undefined
  /** Bytes of recently written records, of all topics, that are read from memory rather than from disk. @default 8_388_608 */
  cacheBytes?: number | undefined
  /** How long the handler of a revoked partition may take to return before the partition is taken from it, in milliseconds. @default 30_000 */
  handoverTimeoutMs?: number | undefined
  /** Whose time passes. @default systemClock */
  clock?: Clock | undefined
  /** Where the broker logs. @default silentLogger */
  logger?: Logger | undefined
}

/** {@link MemoryBrokerOptions} with every default in place. */
export type MemoryBrokerSettings = { readonly [Name in Exclude<keyof MemoryBrokerOptions, 'dataDir'>]-?: NonNullable<MemoryBrokerOptions[Name]> } & {
  /** Folder of the log on disk; undefined keeps it in memory. @default see {@link MemoryBrokerOptions} */
  readonly dataDir: string | undefined
}

const MIB = 1024 * 1024
/** The largest record that a frame can surely hold. */
const LARGEST_RECORD_BYTES = 128 * MIB

/** Checks the options and puts the defaults in place. */
export function brokerSettings(options: MemoryBrokerOptions = {}): MemoryBrokerSettings {
  const { dataDir } = options
  if (dataDir !== undefined && (typeof dataDir !== 'string' || dataDir === '')) throw optionError('dataDir', dataDir, 'the path of a folder')
  const durability = options.durability ?? 'fsync'
  if (durability !== 'fsync' && durability !== 'write') throw optionError('durability', durability, "'fsync' or 'write'")
  const onDisk = dataDir !== undefined
  return {
    dataDir,
    durability,
    maxTopicBytes: bytesOption('maxTopicBytes', options.maxTopicBytes ?? (onDisk ? 8192 * MIB : 256 * MIB)),
    maxRecordBytes: bytesOption('maxRecordBytes', options.maxRecordBytes ?? MIB, LARGEST_RECORD_BYTES),
    maxPendingBytes: bytesOption('maxPendingBytes', options.maxPendingBytes ?? 8 * MIB),
    maxTransactionBytes: bytesOption('maxTransactionBytes', options.maxTransactionBytes ?? 64 * MIB, LARGEST_RECORD_BYTES),
    segmentBytes: bytesOption('segmentBytes', options.segmentBytes ?? (onDisk ? 32 * MIB : 4 * MIB), 1024 * MIB),
    cacheBytes: bytesOption('cacheBytes', options.cacheBytes ?? 8 * MIB),
    handoverTimeoutMs: durationOption('handoverTimeoutMs', options.handoverTimeoutMs ?? 30_000),
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
  }
}

function bytesOption(name: string, value: unknown, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return value
  throw optionError(name, value, `a whole number of bytes from 1 to ${most}`)
}

function durationOption(name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 2 ** 31 - 1) return value
  throw optionError(name, value, `milliseconds from 0 to ${2 ** 31 - 1}, not ${kindOf(value)}`)
}
