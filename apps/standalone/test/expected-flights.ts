import { readFlights, readSp500 } from '../src/sample/sample-files.ts'

/** What an independent count of the sample gives. */
export interface ExpectedFlights {
  count: number
  delay: number
  distance: number
  byAirport: Map<string, { flights: number; delay: number; distance: number }>
  byDay: Map<string, { flights: number; delay: number; distance: number }>
}

/** Counts the sample without any of our stores: straight from the data set. */
export async function countFlights(): Promise<ExpectedFlights> {
  const expected: ExpectedFlights = { count: 0, delay: 0, distance: 0, byAirport: new Map(), byDay: new Map() }
  for await (const events of readFlights('default', () => true)) {
    for (const { value } of events) {
      const flight = JSON.parse(value) as { time: string; delay: number; distance: number; origin: string }
      expected.count++
      expected.delay += flight.delay
      expected.distance += flight.distance
      add(expected.byAirport, flight.origin, flight)
      add(expected.byDay, flight.time.slice(0, 10), flight)
    }
  }
  return expected
}

function add(sums: ExpectedFlights['byAirport'], key: string, { delay, distance }: { delay: number; distance: number }): void {
  const sum = sums.get(key) ?? { flights: 0, delay: 0, distance: 0 }
  sum.flights++
  sum.delay += delay
  sum.distance += distance
  sums.set(key, sum)
}

/** The trading days as the source has them. */
export async function readTradingDays(): Promise<{ id: number; time: string; close: string; volume: string }[]> {
  const events = await readSp500(() => true)
  return events.map(({ id, value }) => {
    const day = JSON.parse(value) as { time: string; close: string; volume: number }
    return { id, time: day.time, close: day.close, volume: String(day.volume) }
  })
}
