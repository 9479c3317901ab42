/** Why an event is refused; goes into the headers of its dead letter. */
export interface EventRefusal {
  readonly code: 'undecodable' | 'invalid' | 'unknown-version' | 'transform-failed' | 'refused-by-store'
  /** Names the field and what is wrong, never the value. */
  readonly reason: string
  /** The field that is wrong, when one is. */
  readonly field?: string | undefined
}

/** A refusal as the steps between bytes and row hand it on, where a row is the other answer. */
export class RecordRefusal implements EventRefusal {
  readonly code: EventRefusal['code']
  readonly reason: string
  readonly field: string | undefined
  constructor(code: EventRefusal['code'], reason: string, field?: string) {
    this.code = code
    this.reason = reason
    this.field = field
  }
}
