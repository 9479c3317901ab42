/** What a binary COPY begins with: the mark of the format, no flags, nothing more in the head. */
export const SIGNATURE: Uint8Array = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
/** In place of a row's count of fields: there are no more rows. */
export const TRAILER: Uint8Array = Buffer.of(0xff, 0xff)
