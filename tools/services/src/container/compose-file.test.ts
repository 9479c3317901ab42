import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { interpolate, readCompose, ROOT } from '../../../docker/read-stack.ts'
import { SERVICES } from '../service-catalogue.ts'
import { CONTAINERS } from './containers.ts'

const FILE = 'docker/services.compose.yaml'
const { services } = readCompose(FILE)
const plans = Object.entries(CONTAINERS).map(([name, plan]) => ({ name, ...plan }))

describe(FILE, () => {
  it('has every service that can be brought up, but for those that are of this machine alone', () => {
    const without = SERVICES.filter(({ container }) => container === undefined).map(({ name }) => name)

    expect(without).toEqual(['toxiproxy', 's3'])
    expect(plans.flatMap((plan) => plan.services).sort()).toEqual(Object.keys(services).sort())
  })

  it.each(plans)('publishes $name at the ports that are chosen for it, on the loopback address alone', ({ services: names, ports }) => {
    const chosen = Object.fromEntries(ports.map((name, index) => [name, String(30_000 + index)]))
    const published = names.flatMap((name) => services[name]?.ports ?? []).map((port) => interpolate(port, chosen))

    expect(published.map((port) => port.split(':').slice(0, 2).join(':'))).toEqual(ports.map((_, index) => `127.0.0.1:${30_000 + index}`))
  })

  it.each(plans)('tells programs of $name by the variables that its service is known by', ({ name, ports, variables }) => {
    const known = SERVICES.find((service) => service.name === name)?.variables

    expect(known).toEqual(expect.arrayContaining(Object.keys(variables(ports.map((_, index) => index)))))
  })

  it.each(Object.entries(services))('waits until %s is healthy, and takes an image of a version', (_name, { image = '', healthcheck }) => {
    expect(healthcheck).toBeDefined()
    expect(image).toMatch(/^[\w/-]+:\$\{\w+_TAG:-[\w.-]+\}$/)
    expect(interpolate(image, {})).not.toMatch(/:latest$/)
  })

  it.each(['kafka', 'kafka-1', 'kafka-2', 'kafka-3'])('lets %s name itself to clients by its published port', (name) => {
    const service = services[name]
    const [, port] = interpolate(service?.ports?.[0] ?? '', {}).split(':')

    expect(interpolate(service?.environment?.['KAFKA_ADVERTISED_LISTENERS'] ?? '', {})).toContain(`HOST://127.0.0.1:${port}`)
    expect(service?.environment).toMatchObject({ KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: 1000, KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: 0 })
  })

  it('mounts scripts that are there', () => {
    const commands = ['redis-cluster', 'redis-sentinel'].map((name) => (services[name] as { command?: string[] }).command ?? [])

    for (const [shell, script = ''] of commands) {
      expect(shell).toBe('sh')
      expect(existsSync(join(ROOT, 'docker', script))).toBe(true)
      expect(readFileSync(join(ROOT, 'docker', script), 'utf8')).toMatch(/^#!\/bin\/sh\n/)
    }
  })
})
