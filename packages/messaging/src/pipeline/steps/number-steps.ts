import { type FieldType, fieldTypeText, parseFieldType } from '../field-type.ts'
import type { IngestRow } from '../event-types.ts'
import { fieldReader, type FieldReader, FieldRefusal } from '../read-field.ts'
import { calculateExact, decimalText, type ExactDecimal, exactDecimal, type Operator } from './exact-decimal.ts'
import { type RowStep, type StepTools, textOf, typeOf } from './row-step.ts'
import type { StepSettings } from './step-schema.ts'

type Operand = StepSettings<'calculate'>['left']

/** `calculate`: exact with integers and decimals, rounded once, to the digits of the result's type; with float64 as doubles do it. */
export function calculate({ into, left, operator, right, type: typeText }: StepSettings<'calculate'>, tools: StepTools): RowStep {
  const type = parseFieldType(typeText)
  for (const operand of [left, right]) checkOperand(operand, type, tools)
  tools.types.set(into, type)
  const compute = type.kind === 'float64' ? floatCalculation(left, operator, right) : exactCalculation(left, operator, right, type)
  return (row) => {
    if (isNull(row, left) || isNull(row, right)) {
      row[into] = null
      return undefined
    }
    const result = compute(row)
    if (result instanceof FieldRefusal) return result
    row[into] = result
    return undefined
  }
}

function checkOperand(operand: Operand, type: FieldType, tools: StepTools): void {
  if (!['int32', 'int64', 'float64', 'decimal'].includes(type.kind)) tools.fail(`can't give a ${fieldTypeText(type)}: int32, int64, decimal(p,s) and float64 are results`)
  if (typeof operand !== 'string') {
    if (exactDecimal(operand.value) === null) tools.fail('has a value that is not a decimal number without exponent')
    return
  }
  const found = typeOf(tools, operand)
  if (!['int32', 'int64', 'float64', 'decimal'].includes(found.kind)) tools.fail(`calculates with numbers, but "${operand}" is of type ${fieldTypeText(found)}; cast it first`)
  if (found.kind === 'float64' && type.kind !== 'float64') tools.fail(`is exact, but "${operand}" is a float64; cast it to a decimal first`)
  if (found.nullable && !type.nullable) tools.fail(`gives null where "${operand}" is null: give the type with "?", or a default before`)
}

function isNull(row: IngestRow, operand: Operand): boolean {
  return typeof operand === 'string' && row[operand] === null
}

const OUT_OF_RANGE = 'gives a number that its type can not hold'

function exactCalculation(left: Operand, operator: Operator, right: Operand, type: FieldType): (row: IngestRow) => unknown {
  const first = exactOperand(left)
  const second = exactOperand(right)
  const read: FieldReader = fieldReader(type)
  return (row) => {
    const unscaled = calculateExact(first(row), operator, second(row), type.scale)
    if (unscaled === null) return new FieldRefusal('divides by zero')
    const text = decimalText(unscaled, type.scale)
    const value = read(type.kind === 'int32' ? Number(text) : text)
    return value instanceof FieldRefusal ? new FieldRefusal(OUT_OF_RANGE) : value
  }
}

function exactOperand(operand: Operand): (row: IngestRow) => ExactDecimal {
  if (typeof operand === 'string') return (row) => exactDecimal(textOf(row[operand])) as ExactDecimal
  const constant = exactDecimal(operand.value) as ExactDecimal
  return () => constant
}

function floatCalculation(left: Operand, operator: Operator, right: Operand): (row: IngestRow) => unknown {
  const valueOf = (operand: Operand, row: IngestRow): number => Number(typeof operand === 'string' ? row[operand] : operand.value)
  return (row) => {
    const first = valueOf(left, row)
    const second = valueOf(right, row)
    const result = operator === '+' ? first + second : operator === '-' ? first - second : operator === '*' ? first * second : first / second
    return Number.isFinite(result) ? result : new FieldRefusal(operator === '/' && second === 0 ? 'divides by zero' : OUT_OF_RANGE)
  }
}
