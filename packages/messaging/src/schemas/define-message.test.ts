import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineMessage } from './define-message.ts'

const line = z.object({ articleId: z.string(), unitCents: z.int() })
const orderPlaced = defineMessage(
  'order_placed',
  z.object({ orderId: z.string(), placedBy: z.object({ userName: z.string() }).optional(), lines: z.array(line).default([]) }),
  3,
  {
    upgrades: {
      1: ({ order_number, ...order }) => ({ ...order, order_id: String(order_number) }),
      2: ({ items, ...order }) => ({ ...order, lines: (items as string[]).map((id) => ({ article_id: id, unit_cents: 0 })) }),
    },
  },
)
const order = { orderId: 'o1', placedBy: { userName: 'ada' }, lines: [{ articleId: 'a', unitCents: 5 }] }
const wire = {
  message_type: 'order_placed',
  message_version: 3,
  order_id: 'o1',
  placed_by: { user_name: 'ada' },
  lines: [{ article_id: 'a', unit_cents: 5 }],
}

describe('defineMessage', () => {
  it('writes and reads a message, its nested objects and lists too', () => {
    expect(orderPlaced.toDict(order)).toEqual(wire)
    expect(orderPlaced.fromJson(orderPlaced.toJson(order))).toEqual(order)
    expect(orderPlaced.create({ orderId: 'o2' })).toEqual({ orderId: 'o2', lines: [] })
    expect([orderPlaced.isValid(order), orderPlaced.isValid(wire)]).toEqual([true, false])
  })

  it('brings an older message up to date, step by step', () => {
    const first = { message_type: 'order_placed', message_version: 1, order_number: 17, items: ['a', 'b'] }
    const second = { message_type: 'order_placed', message_version: 2, order_id: '17', items: ['a', 'b'] }
    const expected = { orderId: '17', lines: ['a', 'b'].map((articleId) => ({ articleId, unitCents: 0 })) }

    expect(orderPlaced.fromDict(first)).toEqual(expected)
    expect(orderPlaced.fromDict(second)).toEqual(expected)
  })

  it('passes a newer message on as it came, its version too', () => {
    const newer = { ...wire, message_version: 4, coupon: 'x', lines: [{ article_id: 'a', unit_cents: 5, colour: 'red' }] }

    const read = orderPlaced.fromDict(newer)

    expect(orderPlaced.toDict(read)).toEqual(newer)
    expect(orderPlaced.toDict({ ...read, orderId: 'changed' })).toEqual({ ...newer, order_id: 'changed' })
  })

  it('keeps any unknown fields at any level', () => {
    const extra = fc.dictionary(
      fc.oneof(
        fc.string().map((name) => `x${name}`),
        fc.constantFrom('__proto__', 'unknownFields', 'constructor'),
      ),
      fc.jsonValue(),
      { maxKeys: 3 },
    )
    fc.assert(
      fc.property(extra, extra, extra, (top, nested, listed) => {
        const dict = { ...wire, ...top, placed_by: { ...wire.placed_by, ...nested }, lines: [{ ...wire.lines[0], ...listed }] }
        expect(JSON.parse(orderPlaced.toJson(orderPlaced.fromJson(JSON.stringify(dict))))).toEqual(JSON.parse(JSON.stringify(dict)))
      }),
    )
  })

  it.each([
    [{ ...wire, message_type: 'other' }, ['message_type']],
    [{ ...wire, message_version: 0 }, ['message_version']],
    [{ ...wire, message_version: '3' }, ['message_version']],
    [{ ...wire, message_version: 2 }, []],
    [{ ...wire, lines: [{ article_id: 'a', unit_cents: 0.5 }] }, ['lines', 0, 'unit_cents']],
    ['text', []],
  ])('refuses %j', (dict, path) => {
    expect(() => orderPlaced.fromDict(dict)).toThrow(
      expect.objectContaining({ code: 'ERR_MESSAGING_INVALID_MESSAGE', issues: [expect.objectContaining({ path })] }),
    )
  })

  it('refuses a definition with a gap in its upgrades, or without a version', () => {
    const upgrade = (fields: Record<string, unknown>): Record<string, unknown> => fields

    expect(() => defineMessage('m', z.object({}), 3, { upgrades: { 1: upgrade } })).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_OPTION' }))
    expect(() => defineMessage('m', z.object({}), 0)).toThrow(expect.objectContaining({ code: 'ERR_MESSAGING_OPTION' }))
  })

  it('has a JSON Schema of what is on the wire', () => {
    expect(orderPlaced.jsonSchema()).toMatchObject({
      title: 'order_placed',
      properties: { message_type: { const: 'order_placed' }, order_id: { type: 'string' }, placed_by: { properties: { user_name: {} } } },
      required: ['message_type', 'message_version', 'order_id'],
    })
  })
})
