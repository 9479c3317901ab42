import type { PolicyContext } from '@smart-whale/interfaces'
import { describe, expect, it } from 'vitest'
import { contextOf, earlier, isCancelled, layersAbove, onCancelled, outsideOfCalls, reasonOf, runAmbient, Scope } from './scope.ts'

const scopeOn = (...[deadlineAtMs, retryAttempt = 0, handsOn]: Partial<ConstructorParameters<typeof Scope>>): Scope => new Scope(deadlineAtMs, retryAttempt, handsOn)

describe('a scope', () => {
  it('makes one signal, which aborts with the first reason', () => {
    const scope = scopeOn()
    const { signal } = scope
    expect([signal.aborted, scope.cancelled, scope.reason]).toEqual([false, false, undefined])

    scope.cancel('first')
    scope.cancel('second')

    expect(scope.signal).toBe(signal)
    expect([signal.aborted, signal.reason, scope.cancelled, scope.reason]).toEqual([true, 'first', true, 'first'])
  })

  it('shows an aborted signal to who reads it afterwards', () => {
    const scope = scopeOn()
    scope.cancel('late')

    expect([scope.signal.aborted, scope.signal.reason]).toEqual([true, 'late'])
  })

  it('calls each listener once, but for those taken off', () => {
    const scope = scopeOn()
    const heard: unknown[] = []
    scope.onCancel((reason) => heard.push(['stays', reason]))
    scope.onCancel((reason) => heard.push(['stays, too', reason]))
    scope.onCancel((reason) => heard.push(['taken off', reason]))?.()

    scope.cancel('why')
    scope.cancel('again')

    expect(heard).toEqual([['stays', 'why'], ['stays, too', 'why']])
  })

  it('may be cancelled by a listener of its own, and tells nobody twice', () => {
    const scope = scopeOn()
    const heard: unknown[] = []
    scope.onCancel((reason) => {
      heard.push(reason)
      scope.cancel('from within')
    })

    scope.cancel('why')

    expect(heard).toEqual(['why'])
  })

  it('hands on the signal, the end and its reason of the call that it stands for', () => {
    const controller = new AbortController()
    const scope = scopeOn(7, 2, { signal: controller.signal })
    const heard: unknown[] = []
    scope.onCancel((reason) => heard.push(reason))
    expect([scope.signal, scope.cancelled, scope.reason]).toEqual([controller.signal, false, undefined])

    controller.abort('why')

    expect([scope.cancelled, scope.reason, heard]).toEqual([true, 'why', ['why']])
  })

  it('has a signal of its own when the call has none', () => {
    const scope = scopeOn(undefined, 0, { deadlineAtMs: 7 })

    expect(scope.signal.aborted).toBe(false)
    expect(scope.onCancel(() => {})).toBeUndefined()
  })
})

describe('a call', () => {
  it('has given up when its scope or its signal says so', () => {
    const [scope, controller] = [scopeOn(), new AbortController()]
    const calls = [undefined, {}, scope, { signal: controller.signal }, { signal: scopeOn().signal }]
    expect(calls.map((call) => isCancelled(call))).toEqual([false, false, false, false, false])

    scope.cancel('scope')
    controller.abort('signal')

    expect(calls.map((call) => isCancelled(call))).toEqual([false, false, true, true, false])
    expect(calls.map((call) => reasonOf(call))).toEqual([undefined, undefined, 'scope', 'signal', undefined])
  })

  it('tells who listens, however it gives up, until he is taken off', () => {
    const [scope, behind, controller] = [scopeOn(), scopeOn(), new AbortController()]
    const heard: unknown[] = []
    const listen = (reason: unknown): void => void heard.push(reason)
    for (const call of [scope, { signal: behind.signal }, { signal: controller.signal }]) {
      onCancelled(call, listen)
      onCancelled(call, () => heard.push('taken off'))?.()
    }
    expect([onCancelled(undefined, listen), onCancelled({}, listen)]).toEqual([undefined, undefined])

    scope.cancel('scope')
    behind.cancel('behind')
    controller.abort('signal')

    expect(heard).toEqual(['scope', 'behind', 'signal'])
  })

  it('is the context of its work where it can be', () => {
    const scope = scopeOn(7, 3)
    const call = { signal: new AbortController().signal }
    expect(contextOf(scope)).toBe(scope)
    expect(contextOf(call)).toBe(call)
    expect(contextOf({ deadlineAtMs: 9 })).toMatchObject({ deadlineAtMs: 9, retryAttempt: 0 })
    expect(contextOf(undefined).signal.aborted).toBe(false)
  })
})

describe('the layers above', () => {
  it('are told by the context, or by its signal alone', () => {
    const scope = scopeOn(7, 3)

    expect(layersAbove(scope)).toBe(scope)
    expect(layersAbove({ signal: scope.signal })).toBe(scope)
    expect([layersAbove(undefined), layersAbove({}), layersAbove({ signal: new AbortController().signal })]).toEqual([undefined, undefined, undefined])
  })

  it('are told by the asynchronous context as well, until the work has ended; the nearest one that is not over', async () => {
    const [outer, inner] = [scopeOn(1, 1), scopeOn(2, 2)]
    const end = Promise.withResolvers<void>()
    const seen: unknown[] = []
    let afterInner: Promise<void> | undefined

    const work = runAmbient(outer, async (given) => {
      seen.push(given, layersAbove(undefined), layersAbove({}), layersAbove({ signal: new AbortController().signal }))
      await runAmbient(inner, async () => {
        seen.push(layersAbove(undefined))
        afterInner = end.promise.then(() => void seen.push(layersAbove(undefined)))
      })
      seen.push(outsideOfCalls(() => layersAbove(undefined)))
      end.resolve()
      await afterInner
    })
    const afterAll = work.then(() => layersAbove(undefined))

    expect([await afterAll, seen]).toEqual([undefined, [outer, outer, outer, outer, inner, undefined, outer]])
  })

  it.each([
    ['fails', () => Promise.reject(new TypeError('away'))],
    ['throws', () => { throw new TypeError('away') }],
    ['answers with what is no promise', () => 42 as never],
  ])('end for what it has begun when work %s', async (_how, endOf: () => Promise<number>) => {
    let later: Promise<unknown> | undefined
    const gate = Promise.withResolvers<void>()
    const work = (_given: PolicyContext): Promise<number> => {
      later = gate.promise.then(() => layersAbove(undefined))
      return endOf()
    }

    await Promise.resolve().then(() => runAmbient(scopeOn(), work)).catch(() => {})
    gate.resolve()

    expect(await later).toBeUndefined()
  })
})

describe('the earlier of two deadlines', () => {
  it.each([
    [undefined, undefined, undefined],
    [1, undefined, 1],
    [undefined, 2, 2],
    [1, 2, 1],
    [2, 1, 1],
    [0, 1, 0],
  ])('%s and %s: %s', (one, other, expected) => {
    expect(earlier(one, other)).toBe(expected)
  })
})
