// Takes the README's picture: starts a standalone on a fresh folder, waits until the sample flows, and shoots the live page.
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { findChromium } from './engines/chromium.ts'

const found = await findChromium()
if (found.path === null) throw new TypeError(`no browser: ${found.remedy}`)
const root = join(import.meta.dirname, '..')
const target = join(root, 'docs/images/page.png')
const dataDir = await mkdtemp(join(tmpdir(), 'smart-whale-picture-'))
const standalone = spawn(process.execPath, ['--conditions=@smart-whale/source', join(root, 'apps/standalone/src/main.ts'), '--data', dataDir, '--port', '0'], { stdio: ['ignore', 'pipe', 'pipe'] })
let printed = ''
const address = new Promise<string>((resolve, reject) => {
  standalone.stderr.on('data', (chunk: Buffer) => {
    printed += chunk
    const match = /serving on (\S+)/.exec(printed)
    if (match?.[1] !== undefined) resolve(match[1])
  })
  standalone.once('exit', () => reject(new TypeError(`the standalone ended:\n${printed}`)))
})
const ready = new Promise<void>((resolve) => standalone.stdout.on('data', (chunk: Buffer) => void (String(chunk).includes('ready in') && resolve())))

const browser = await chromium.launch({ executablePath: found.path, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'] })
const page = await browser.newPage({ viewport: { width: 1240, height: 900 }, colorScheme: 'light' })
await page.goto(await address)
await ready
// The charts refresh every ten seconds: now they show the whole sample.
await page.waitForTimeout(12_000)
await mkdir(join(root, 'docs/images'), { recursive: true })
await page.screenshot({ path: target, fullPage: true })
await browser.close()
standalone.kill('SIGTERM')
await new Promise((resolve) => standalone.once('exit', resolve))
await rm(dataDir, { recursive: true, force: true })
process.stdout.write(`wrote ${target}\n`)
