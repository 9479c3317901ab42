/** A formula over metrics, as it was read. */
export type Formula =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'metric'; readonly name: string }
  | { readonly kind: 'operation'; readonly operator: '+' | '-' | '*' | '/'; readonly left: Formula; readonly right: Formula }

/** Why a text is no formula. */
export interface FormulaProblem {
  readonly problem: string
}

const TOKEN = /\s*(?:(\d+(?:\.\d+)?)|([A-Za-z_]\w*)|([-+*/()]))/y

/** Reads `(revenue - refunds) / orders * 100`: names of metrics, numbers, four operations and brackets. */
export function parseFormula(text: string): Formula | FormulaProblem {
  const tokens = tokensOf(text)
  if (tokens.problem !== undefined) return { problem: tokens.problem }
  let next = 0
  const peek = (): string | undefined => tokens.texts[next]

  function sum(): Formula | undefined {
    let left = product()
    while (left !== undefined && (peek() === '+' || peek() === '-')) left = operation(left, product)
    return left
  }
  function product(): Formula | undefined {
    let left = factor()
    while (left !== undefined && (peek() === '*' || peek() === '/')) left = operation(left, factor)
    return left
  }
  function operation(left: Formula, operand: () => Formula | undefined): Formula | undefined {
    const operator = tokens.texts[next++] as '+' | '-' | '*' | '/'
    const right = operand()
    return right === undefined ? undefined : { kind: 'operation', operator, left, right }
  }
  function factor(): Formula | undefined {
    const token = tokens.texts[next++]
    if (token === undefined) return undefined
    if (/^\d/.test(token)) return { kind: 'number', value: Number(token) }
    if (/^\w/.test(token)) return { kind: 'metric', name: token }
    if (token !== '(') return undefined
    const inside = sum()
    return tokens.texts[next++] === ')' ? inside : undefined
  }

  const formula = sum()
  if (formula === undefined || next !== tokens.texts.length) return { problem: `is no formula from ${describePlace(tokens.texts, next)} on; write metrics, numbers, + - * / and brackets` }
  return formula
}

/** The metrics that a formula names. */
export function metricsIn(formula: Formula): string[] {
  if (formula.kind === 'operation') return [...metricsIn(formula.left), ...metricsIn(formula.right)]
  return formula.kind === 'metric' ? [formula.name] : []
}

function tokensOf(text: string): { readonly texts: readonly string[] } & Partial<FormulaProblem> {
  const texts: string[] = []
  const trimmed = text.trimEnd()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < trimmed.length) {
    const at = TOKEN.lastIndex
    const found = TOKEN.exec(trimmed)
    if (found === null) return { texts, problem: `has "${trimmed.slice(at).trim()[0]}", which no formula has; write metrics, numbers, + - * / and brackets` }
    texts.push((found[1] ?? found[2] ?? found[3]) as string)
  }
  return { texts }
}

function describePlace(texts: readonly string[], next: number): string {
  const at = texts[Math.max(0, next - 1)]
  return at === undefined ? 'its beginning' : `"${at}"`
}
