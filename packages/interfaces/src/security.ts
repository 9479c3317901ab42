/** Turns text or bytes into ciphertext bound to one key and one context, and back. */
export interface Encryptor {
  /** @param context must be given again, equal, to decrypt */
  encrypt(plaintext: Uint8Array, context?: Readonly<Record<string, string>>): Promise<Uint8Array>
  /** Throws on a wrong key, a wrong context or an altered text. */
  decrypt(ciphertext: Uint8Array, context?: Readonly<Record<string, string>>): Promise<Uint8Array>
}

/** What a verified token says. */
export interface TokenClaims {
  /** Who the token speaks for. */
  readonly subject: string
  readonly roles: readonly string[]
  readonly tenant?: string
  /** When its holder signed in, in milliseconds since the epoch; tokens that were renewed since keep it. Unknown where the issuer doesn't say. */
  readonly signedInAt?: number
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Makes access tokens. */
export interface TokenIssuer {
  /** @param claims what it says; its holder signs in now, unless `signedInAt` says when */
  issue(claims: { subject: string; roles: readonly string[]; tenant?: string; signedInAt?: number }, options?: { ttlSeconds?: number }): Promise<string>
}

/** Checks access tokens; throws an `InfrastructureError` with status 401 for anything but a valid one. */
export interface TokenVerifier {
  verify(token: string): Promise<TokenClaims>
}

/** One thing that somebody did, or tried to. */
export interface AuditEvent {
  readonly actor: string
  readonly action: string
  readonly resource?: string
  readonly outcome: 'success' | 'failure' | 'denied'
  readonly details?: Readonly<Record<string, unknown>>
}

/** Where audit events go. */
export interface AuditSink {
  record(event: AuditEvent): Promise<void>
}

/** The default everywhere: records nothing. */
export const silentAudit: AuditSink = { record: async () => {} }
