/** What a field reader answers when the value isn't of the field's type. */
export class FieldRefusal {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}
