import type { Java } from './find-java.ts'

/** All that a broker is started with. */
export interface PreparedKafka {
  readonly version: string
  readonly java: Java
  readonly classPath: string
  /** First records of a new cluster: the features of this version. */
  readonly bootstrap: string
  /** Classes that were loaded before, laid out for the next process. */
  readonly archive?: string | undefined
}
