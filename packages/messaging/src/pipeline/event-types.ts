/** Which stores a pipeline writes to. */
export type PipelineSink = 'clickhouse' | 'timescaledb'

/** A row as both stores take it: the declared columns plus where the event came from. */
export type IngestRow = Record<string, unknown>

/** Texts that name a field type; a `?` behind one allows null and absence. */
export type FieldTypeText = PlainTypeText | `${PlainTypeText}?`

type PlainTypeText = 'string' | 'int32' | 'int64' | 'float64' | 'boolean' | 'timestamp' | 'date' | 'uuid' | 'json' | `decimal(${number},${number})`

/** What a value of a field type is in code: decimals are their digits, `date` is an ISO day, `json` is JSON text. */
export type FieldValue<T extends string> = T extends `${infer Base}?` ? PlainValueOf<Base> | null : PlainValueOf<T>

type PlainValueOf<T extends string> = T extends 'int32' | 'float64'
  ? number
  : T extends 'int64'
    ? bigint
    : T extends 'boolean'
      ? boolean
      : T extends 'timestamp'
        ? Date
        : string

/** What a transform gets for an event with these fields, under the names that `rename` gives them. */
export type TypedEvent<F extends Readonly<Record<string, string>>, R extends Readonly<Record<string, string>> = Record<never, never>> = {
  readonly [K in keyof F & string as K extends keyof R ? R[K] : K]: FieldValue<F[K]>
}

/** A row as a transform may return it: a field that may be null may be left out. Decimals and 64-bit integers may be numbers where those are exact. */
export type TypedRow<C extends Readonly<Record<string, string>>> = { readonly [K in keyof C & string as C[K] extends `${string}?` ? never : K]: WritableValue<C[K]> } & {
  readonly [K in keyof C & string as C[K] extends `${string}?` ? K : never]?: WritableValue<C[K]> | undefined
}

type WritableValue<T extends string> = T extends `${infer Base}?` ? WritablePlain<Base> | null : WritablePlain<T>
type WritablePlain<T extends string> = T extends 'int64' ? bigint | number : T extends 'timestamp' ? Date | string : T extends `decimal(${string})` ? string | number | bigint : PlainValueOf<T>

/** Where an event stands, for transforms and routes. All of it is the same when a slice is repeated. */
export interface EventContext {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** When the record was sent, or when the broker took it. */
  readonly timestamp: Date
  /** Of the event; null for a pipeline without versions. */
  readonly version: string | null
  /** A header of the record as text; null when it has none of that name. */
  header(name: string): string | null
}

/**
 * Turns an event into a row, or into null to leave it out on purpose. It must answer at once, and the same for the same event:
 * a slice that was under way when a worker died is transformed again. No clock, no random numbers, nothing remembered.
 */
export type TransformFunction<E, R> = (event: E, context: EventContext) => R | null

/** Names the stores that a row goes to, among those of its pipeline; none leaves the event out. The same conditions as for transforms. */
export type RouteFunction<R> = (row: R, context: EventContext) => readonly PipelineSink[]
