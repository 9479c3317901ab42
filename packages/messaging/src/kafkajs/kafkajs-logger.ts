import type { LogMethod, Logger } from '@smart-whale/interfaces'
import type { KafkaJsLogger } from './kafkajs-library.ts'

/** What of a log line's fields is handed on. kafkajs adds whole answers to some lines, and they are nobody's business. */
const FIELDS = ['broker', 'error', 'correlationId'] as const

/** Lets kafkajs log where we do. What fails is told to whoever asked for it as well, so that nothing here is an error. */
export function kafkaJsLogger(logger: Logger): KafkaJsLogger {
  const adapted: KafkaJsLogger = {
    namespace: () => adapted,
    debug: lineOf(logger.trace.bind(logger)),
    info: lineOf(logger.debug.bind(logger)),
    warn: lineOf(logger.debug.bind(logger)),
    error: lineOf(logger.debug.bind(logger)),
  }
  return adapted
}

function lineOf(log: LogMethod): (message: string, extra?: object) => void {
  return (message, extra) => {
    const given = new Map(Object.entries(extra ?? {}))
    log(Object.fromEntries(FIELDS.filter((field) => typeof given.get(field) !== 'object').map((field) => [field, given.get(field)])), `kafkajs: ${message}`)
  }
}
