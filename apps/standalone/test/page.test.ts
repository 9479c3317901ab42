import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findChromium } from '../../../tools/engines/chromium.ts'
import { startStandalone, type StandaloneProcess, temporaryFolder } from './standalone-process.ts'

const browserFound = await findChromium()

describe('the live page', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let standalone: StandaloneProcess
  let address: { url: string; token: string }
  let browser: Browser

  beforeEach((context) => {
    if (browserFound.path === null) context.skip(`needs Chromium: ${browserFound.remedy}`)
  })

  beforeAll(async () => {
    if (browserFound.path === null) return
    folder = await temporaryFolder()
    standalone = startStandalone(['--data', folder.path, '--port', '0'])
    browser = await chromium.launch({
      executablePath: browserFound.path,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    })
    address = await standalone.ready
  })

  afterAll(async () => {
    if (browserFound.path === null) return
    await browser.close()
    standalone.kill('SIGTERM')
    await standalone.exited
    await folder.remove()
  })

  /** Opens a page and keeps what it complains of and whom it asks. */
  async function open(path: string): Promise<{ page: Page; errors: string[]; foreign: string[] }> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, timezoneId: 'America/New_York' })
    page.setDefaultTimeout(60_000)
    const errors: string[] = []
    const foreign: string[] = []
    page.on('console', (message) => void (message.type() === 'error' && errors.push(message.text())))
    page.on('pageerror', (error) => errors.push(error.message))
    page.on('request', (request) => void (!request.url().startsWith(address.url) && !request.url().startsWith('data:') && !request.url().startsWith('blob:') && foreign.push(request.url())))
    await page.goto(address.url + path)
    return { page, errors, foreign }
  }

  async function signIn(page: Page, token: string): Promise<void> {
    await page.fill('#token', token)
    await page.click('#sign-in button')
  }

  it('shows the true counts of both stores, both charts, and asks nobody else', async () => {
    const { page, errors, foreign } = await open(`/#token=${address.token}`)

    await page.locator('#rows-timescaledb', { hasText: /^205,105$/ }).waitFor()
    await page.waitForSelector('#chart-flights canvas')
    await page.waitForSelector('#chart-sp500 canvas')
    await page.waitForSelector('#chart-rate canvas')

    expect(await page.textContent('#rows-clickhouse')).toBe('205,105')
    await expect.poll(() => page.textContent('#status')).toBe('up')
    expect((await page.textContent('#tables'))?.replace(/\s+/g, '')).toBe('flights200,000200,000sp5005,1055,105')
    await expect.poll(() => page.textContent('#lag')).toBe('0')
    // What the metrics layer says of its way: from the rollup, not from the 200,000 rows.
    expect(await page.textContent('#flights-source')).toMatch(/^ClickHouse · rollup flights_by_day · [\d,]{1,6} rows, [\d,.]+ kB read · cache \w+$/)
    // Both stores, the broker, where the pipelines stand, and each pipeline with its own.
    expect(await page.locator('#health li').count()).toBe(7)
    await expect.poll(() => page.locator('#health li.up').count()).toBe(7)
    expect(page.url()).toBe(`${address.url}/`)
    expect(errors).toEqual([])
    expect(foreign).toEqual([])
    await page.close()
  })

  it('asks for a token where there is none, and says what is wrong with a wrong one', async () => {
    const { page } = await open('/')

    await page.waitForSelector('#sign-in:not([hidden])')
    expect(await page.isVisible('#board')).toBe(false)
    await signIn(page, 'wrong')
    await page.locator('#sign-in-error', { hasText: /\S/ }).waitFor()
    await signIn(page, address.token)
    await page.locator('#rows-clickhouse', { hasText: /^205,105$/ }).waitFor()
    await page.close()
  })

  it('stays open when an answer to a wrong token comes behind the right one', async () => {
    const { page } = await open('/')
    const released = Promise.withResolvers<void>()
    await page.route('**/dashboard/summary', async (route) => {
      if (route.request().headers()['authorization'] === 'Bearer wrong') await released.promise
      await route.continue()
    })
    await signIn(page, 'wrong')
    await page.locator('#sign-in-error', { hasText: /\S/ }).waitFor()
    await signIn(page, address.token)
    await page.locator('#rows-clickhouse', { hasText: /^205,105$/ }).waitFor()

    const refused = page.waitForResponse((response) => response.status() === 401)
    released.resolve()
    await (await refused).finished()
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))

    expect(await page.isVisible('#board')).toBe(true)
    await page.close()
  })

  it('has GraphiQL that runs a query, without any outside address', async () => {
    const { page, errors, foreign } = await open('/graphiql')

    await signIn(page, address.token)
    await page.click('.graphiql-execute-button')
    await page.locator('.result-window', { hasText: '"origin"' }).waitFor()

    // Before the token was given the schema was refused: that one answer may be told.
    expect(errors.filter((error) => !/401/.test(error))).toEqual([])
    expect(foreign).toEqual([])
    await page.close()
  })

  it('has an API reference, without any outside address', async () => {
    const { page, errors, foreign } = await open('/docs')

    await page.getByText('/timeseries/{table}/aggregate').first().waitFor()

    expect(errors).toEqual([])
    expect(foreign).toEqual([])
    await page.close()
  })
})
