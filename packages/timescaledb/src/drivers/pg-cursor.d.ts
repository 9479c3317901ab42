/** The part of `pg-cursor` that is used here; the package has no declarations of its own. */
declare module 'pg-cursor' {
  import type { Connection, Submittable } from 'pg'

  export default class Cursor<R> implements Submittable {
    constructor(text: string, values: readonly unknown[], config?: { types?: { getTypeParser(typeId: number): (text: string) => unknown } })
    submit(connection: Connection): void
    read(maxRows: number): Promise<R[]>
    close(): Promise<void>
  }
}
