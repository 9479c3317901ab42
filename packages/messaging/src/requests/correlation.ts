/** The header of an answer that names the request it belongs to, so that nobody has to read the answers to others. */
export const CORRELATION_HEADER = 'smartwhale-correlation-id'
