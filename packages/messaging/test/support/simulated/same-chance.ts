/** Runs it with numbers that are the same each time where chance decides: the pauses between attempts, the order in which brokers are asked. */
export async function withSameChance<T>(work: () => Promise<T>): Promise<T> {
  const { random } = Math
  let seed = 1
  Math.random = () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647
  try {
    return await work()
  } finally {
    Math.random = random
  }
}
