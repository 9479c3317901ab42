// The live page. It asks the same routes that anybody may ask, with the token that came behind `#` or into the form.
import { axis, lineChart } from './charts.js'

const REFRESH_MS = 1000
const CHART_REFRESH_MS = 10_000
const element = (id) => document.getElementById(id)
const whole = new Intl.NumberFormat('en-US')
const bytes = new Intl.NumberFormat('en-US', { style: 'unit', unit: 'kilobyte', maximumFractionDigits: 1 })

let token = takeToken()
let rateChart = null
let previous = null
const rates = { at: [], perSecond: [] }

/** The token leaves the address bar at once, so that it isn't bookmarked or shared by accident. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token')
  if (given) {
    sessionStorage.setItem('token', given)
    history.replaceState(null, '', location.pathname)
  }
  return given ?? sessionStorage.getItem('token')
}

/** The token is not good any more: ask for another one. */
class Refused extends Error {}

/** The server said why it can't answer. */
class Unanswered extends Error {}

async function ask(path, body) {
  const mine = token
  const response = await fetch(path, {
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${mine}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body ? JSON.stringify(body) : undefined,
    signal: AbortSignal.timeout(10_000),
  })
  if (response.status === 401) throw new Refused((await response.json()).detail)
  const answer = await response.json()
  if (!response.ok) throw new Unanswered(answer.detail ?? response.statusText)
  if (token !== mine) throw new Unanswered('somebody else has signed in')
  return answer
}

function askForToken(message) {
  token = null
  sessionStorage.removeItem('token')
  element('board').hidden = true
  element('sign-in').hidden = false
  element('sign-in-error').textContent = message ?? ''
  element('status').textContent = 'not signed in'
  element('status').className = 'pill'
}

/** A part that could not be had is null, and what was shown of it stays. */
function showSummary({ data }) {
  if (data.tables) showTables(data.tables)
  if (data.cache) {
    const { hits, misses } = data.cache
    element('cache').textContent = hits + misses === 0 ? '–' : `${Math.round((100 * hits) / (hits + misses))} %`
  }
  if (data.ingest) showIngest(data.ingest, data.at)
  if (data.health) showHealth(data.health)
}

function showTables(tables) {
  const sum = (store) => tables.reduce((total, table) => total + BigInt(table[store] ?? 0), 0n)
  element('rows-clickhouse').textContent = whole.format(sum('clickhouse'))
  element('rows-timescaledb').textContent = whole.format(sum('timescaledb'))
  replaceRows(element('tables'), tables.map((table) => [table.name, table.clickhouse, table.timescaledb]))
}

function showHealth(health) {
  element('status').textContent = health.status
  element('status').className = `pill ${health.status}`
  const checks = health.checks.map((check) => {
    const item = document.createElement('li')
    item.className = check.status
    item.append(check.name, Object.assign(document.createElement('small'), { textContent: check.detail ?? check.status }))
    return item
  })
  element('health').replaceChildren(...checks)
}

function showIngest(ingest, at) {
  const stored = ingest.pipelines.reduce((total, pipeline) => total + pipeline.stored, 0)
  element('lag').textContent = whole.format(ingest.pipelines.reduce((total, pipeline) => total + pipeline.lag, 0))
  element('dead-letters').textContent = whole.format(ingest.pipelines.reduce((total, pipeline) => total + pipeline.deadLettered, 0))
  if (previous !== null && at > previous.at) {
    const perSecond = Math.max(0, (1000 * (stored - previous.stored)) / (at - previous.at))
    element('rate').textContent = whole.format(Math.round(perSecond))
    rates.at.push(at / 1000)
    rates.perSecond.push(perSecond)
    if (rates.at.length > 120) for (const series of Object.values(rates)) series.shift()
    rateChart ??= lineChart(element('chart-rate'), { series: [{ label: 'events/s', stroke: '#2f7dd1', fill: '#2f7dd133' }], axes: [axis(), axis()] })
    rateChart.setData([rates.at, rates.perSecond])
  }
  previous = { at, stored }
}

function replaceRows(body, rows) {
  body.replaceChildren(
    ...rows.map((cells) => {
      const row = document.createElement('tr')
      row.append(...cells.map((cell, index) => Object.assign(document.createElement('td'), { textContent: index === 0 ? cell : cell === null ? '–' : whole.format(BigInt(cell)) })))
      return row
    }),
  )
}

const FLIGHTS = { metrics: ['flights', 'delay'], from: '2001-01-01', to: '2001-07-01', grain: 'day' }
let flightsChart = null
async function showFlights() {
  const { rows, route, cache } = await ask('/analytics/metrics', FLIGHTS)
  element('flights-source').textContent = `ClickHouse · ${route.source} ${route.name} · ${costOf(route)} · cache ${cache.status}`
  if (rows.length === 0) return
  flightsChart ??= lineChart(element('chart-flights'), {
    series: [
      { label: 'flights', stroke: '#2f7dd1', scale: 'y' },
      { label: 'mean delay, min', stroke: '#e0803c', scale: 'delay' },
    ],
    axes: [axis(), axis(), axis({ scale: 'delay', side: 1 })],
  })
  flightsChart.setData([rows.map((row) => Date.parse(row.time) / 1000), rows.map((row) => Number(row.flights)), rows.map((row) => row.delay)])
}

/** What an answer cost the server; a caller who is bound to a tenant isn't told. */
function costOf({ rowsRead, bytesRead }) {
  return bytesRead === null ? 'cost not told' : `${whole.format(rowsRead)} rows, ${bytes.format(bytesRead / 1024)} read`
}

let sp500Chart = null
async function showSp500() {
  const { data } = await ask('/timeseries/sp500?start=2000-01-01T00:00:00Z&end=2021-01-01T00:00:00Z&limit=10000')
  element('sp500-source').textContent = `PostgreSQL · ${whole.format(data.length)} days`
  if (data.length === 0) return
  sp500Chart ??= lineChart(element('chart-sp500'), { series: [{ label: 'close', stroke: '#1f9d61' }], axes: [axis(), axis()] })
  sp500Chart.setData([data.map((row) => Date.parse(row.time) / 1000), data.map((row) => Number(row.close))])
}

/** Runs `step` again and again, the next one only after the last one has ended; a refused token ends it. */
async function keepShowing(step, everyMs, onFailure) {
  const mine = token
  while (token !== null && token === mine) {
    const failure = document.hidden ? null : await step().then(() => null, (error) => error)
    // An answer to a token that was given up says nothing of the present one.
    if (token !== mine) return
    if (failure instanceof Refused) return askForToken(failure.message)
    if (failure !== null) onFailure(failure)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

const sayIn = (chart) => (error) => {
  if (element(chart).childElementCount === 0) element(chart).replaceChildren(Object.assign(document.createElement('p'), { textContent: error.message }))
}

function start() {
  element('sign-in').hidden = true
  element('board').hidden = false
  const unreachable = () => {
    element('status').textContent = 'not reachable'
    element('status').className = 'pill down'
  }
  void keepShowing(async () => showSummary(await ask('/dashboard/summary')), REFRESH_MS, unreachable)
  void keepShowing(showFlights, CHART_REFRESH_MS, sayIn('chart-flights'))
  void keepShowing(showSp500, CHART_REFRESH_MS, sayIn('chart-sp500'))
}

element('sign-in').addEventListener('submit', (event) => {
  event.preventDefault()
  token = element('token').value.trim()
  sessionStorage.setItem('token', token)
  start()
})

if (token) start()
else askForToken()
