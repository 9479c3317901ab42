/** Every code that this package makes. */
export type LoggingErrorCode = 'ERR_LOGGING_OPTIONS' | 'ERR_LOGGING_DESTINATION'
