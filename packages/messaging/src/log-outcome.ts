import type { Logger } from '@smart-whale/interfaces'

/** Runs a call and says how it ended. */
export type LogOutcome = <T>(operation: string, context: object, work: () => Promise<T>) => Promise<T>

/** Success is said for whoever debugs, failure for everybody. */
export const logOutcomes =
  (logger: Logger): LogOutcome =>
  async (operation, context, work) => {
    try {
      const result = await work()
      logger.debug(context, `${operation}: done`)
      return result
    } catch (error) {
      logger.error({ ...context, error }, `${operation}: failed`)
      throw error
    }
  }
