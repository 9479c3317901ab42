/** One pinned file of Maven Central. */
export interface PinnedJar {
  readonly group: string
  readonly artifact: string
  readonly version: string
  readonly bytes: number
  readonly sha256: string
}

/** A jar's name, in a folder and in a repository. */
export function fileName({ artifact, version }: Pick<PinnedJar, 'artifact' | 'version'>): string {
  return `${artifact}-${version}.jar`
}
