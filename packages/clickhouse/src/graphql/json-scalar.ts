import { toWire } from '@smart-whale/interfaces'
import { GraphQLScalarType, Kind, type ValueNode } from 'graphql'

/** Any JSON value. What JSON's numbers can't hold exactly goes out as a string; integers written in a query come in exactly. */
export const jsonScalar = new GraphQLScalarType({
  name: 'JSON',
  description: 'Any JSON value. 64-bit integers and decimals are strings.',
  serialize: toWire,
  parseValue: (value) => value,
  parseLiteral: readLiteral,
})

function readLiteral(node: ValueNode, variables?: Record<string, unknown> | null): unknown {
  switch (node.kind) {
    case Kind.NULL:
      return null
    case Kind.INT:
      return readInteger(node.value)
    case Kind.FLOAT:
      return Number(node.value)
    case Kind.STRING:
    case Kind.BOOLEAN:
    case Kind.ENUM:
      return node.value
    case Kind.LIST:
      return node.values.map((item) => readLiteral(item, variables))
    case Kind.OBJECT:
      return Object.fromEntries(node.fields.map((field) => [field.name.value, readLiteral(field.value, variables)]))
    case Kind.VARIABLE:
      return variables?.[node.name.value]
  }
}

function readInteger(digits: string): number | bigint {
  const value = Number(digits)
  return Number.isSafeInteger(value) ? value : BigInt(digits)
}
