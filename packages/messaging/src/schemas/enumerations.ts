import {
  MESSAGE_STATUS_ERROR,
  MESSAGE_STATUS_PARTIAL,
  MESSAGE_STATUS_PENDING,
  MESSAGE_STATUS_SUCCESS,
  MESSAGE_STATUS_TIMEOUT,
  PRIORITY_BACKGROUND,
  PRIORITY_CRITICAL,
  PRIORITY_HIGH,
  PRIORITY_LOW,
  PRIORITY_MEDIUM,
  REQUEST_SOURCE_MODEL,
  REQUEST_SOURCE_SYSTEM,
  REQUEST_SOURCE_USER,
} from '../constants.ts'

/** What kind of data a message is about. */
export const DataType = {
  TEXT: 'text',
  IMAGE: 'image',
  VIDEO: 'video',
  AUDIO: 'audio',
  DOCUMENT: 'document',
  STRUCTURED: 'structured',
  MIXED: 'mixed',
} as const
/** One of {@link DataType}'s values. */
export type DataType = (typeof DataType)[keyof typeof DataType]

/** Where data comes from. */
export const DataSource = {
  WEB: 'web',
  WIKI: 'wiki',
  TWITTER: 'twitter',
  TELEGRAM: 'telegram',
  YOUTUBE: 'youtube',
  APARAT: 'aparat',
  NEWS: 'news',
  BOOK: 'book',
  API: 'api',
  LINKEDIN: 'linkedin',
  PODCAST: 'podcast',
  RSS: 'rss',
  SCIENTIFIC: 'scientific',
  DATABASE: 'database',
  CUSTOM: 'custom',
} as const
/** One of {@link DataSource}'s values. */
export type DataSource = (typeof DataSource)[keyof typeof DataSource]

/** What is to be done with data. */
export const OperationType = {
  FETCH_DATA: 'fetch_data',
  PROCESS_DATA: 'process_data',
  UPDATE_DATA: 'update_data',
  DELETE_DATA: 'delete_data',
  MONITOR_DATA: 'monitor_data',
  VERIFY_DATA: 'verify_data',
  SEARCH_DATA: 'search_data',
  TRANSLATE_DATA: 'translate_data',
  SUMMARIZE_DATA: 'summarize_data',
  ANALYZE_DATA: 'analyze_data',
} as const
/** One of {@link OperationType}'s values. */
export type OperationType = (typeof OperationType)[keyof typeof OperationType]

/** How urgent a message is: the lower, the more urgent. */
export const Priority = {
  CRITICAL: PRIORITY_CRITICAL,
  HIGH: PRIORITY_HIGH,
  MEDIUM: PRIORITY_MEDIUM,
  LOW: PRIORITY_LOW,
  BACKGROUND: PRIORITY_BACKGROUND,
} as const
/** One of {@link Priority}'s values. */
export type Priority = (typeof Priority)[keyof typeof Priority]

/** Who asked. */
export const RequestSource = {
  USER: REQUEST_SOURCE_USER,
  MODEL: REQUEST_SOURCE_MODEL,
  SYSTEM: REQUEST_SOURCE_SYSTEM,
  SCHEDULED: 'scheduled',
  API: 'api',
} as const
/** One of {@link RequestSource}'s values. */
export type RequestSource = (typeof RequestSource)[keyof typeof RequestSource]

/** What became of a request. */
export const MessageStatus = {
  SUCCESS: MESSAGE_STATUS_SUCCESS,
  ERROR: MESSAGE_STATUS_ERROR,
  PENDING: MESSAGE_STATUS_PENDING,
  PARTIAL: MESSAGE_STATUS_PARTIAL,
  TIMEOUT: MESSAGE_STATUS_TIMEOUT,
} as const
/** One of {@link MessageStatus}'s values. */
export type MessageStatus = (typeof MessageStatus)[keyof typeof MessageStatus]
