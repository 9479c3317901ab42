import type { Java } from './find-java.ts'
import type { BrokerCertificate, KafkaUser } from './security.ts'

/** All that a broker is started with. */
export interface PreparedKafka {
  readonly version: string
  readonly java: Java
  readonly classPath: string
  /** First records of a new cluster: the features of this version, and {@link TEST_USER}. */
  readonly bootstrap: string
  /** Key and certificate for listeners with TLS. */
  readonly certificate: BrokerCertificate
  /** Classes that were loaded before, laid out for the next process. */
  readonly archive?: string | undefined
}

/** The user of the SASL listeners, unless others are asked for. */
export const TEST_USER: KafkaUser = { username: 'tester', password: 'tester-secret' }
