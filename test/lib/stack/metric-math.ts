/** A value for each period, oldest first; undefined where there is no data. */
export type Series = readonly (number | undefined)[];

type Value = number | undefined;
type Read = (name: string) => Series;

const tokens = /\s*(\d+(?:\.\d+)?|[A-Za-z_]\w*|>=|<=|==|!=|[-+*/()[\],<>])/y;

/**
 * CloudWatch's metric math, as far as alarms use it: arithmetic, comparisons, AND, OR, IF, FILL, and MIN, MAX and SUM of
 * a list (Amazon CloudWatch User Guide, "Using math expressions with CloudWatch metrics"). A point that needs a value
 * that is missing is missing. So are MIN, MAX and SUM of a list here: the guide does not say that they leave it out, and
 * alarms should not rely on it.
 *
 * @throws Error on anything else, so that an expression that CloudWatch would understand differently does not pass
 */
export function evaluate(expression: string, periods: number, read: Read): Series {
  const parsed = parse(expression);
  return Array.from({ length: periods }, (_, period) => parsed((name) => read(name)[period]));
}

type Node = (at: (name: string) => Value) => Value;

function parse(expression: string): Node {
  const words = wordsOf(expression);
  let next = 0;
  const peek = () => words[next];
  const take = (): string => words[next++] ?? 'the end';
  const expect = (word: string): void => {
    const got = take();
    if (got !== word) throw new Error(`expected ${word} in "${expression}", got ${got}`);
  };

  /** Operators of each level bind more closely than those of the level before. */
  const levels = [['OR'], ['AND'], ['>', '<', '>=', '<=', '==', '!='], ['+', '-'], ['*', '/']];

  const binary = (level: number): Node => {
    if (level === levels.length) return primary();
    let left = binary(level + 1);
    while (levels[level]?.includes(peek() ?? '')) {
      const [operator, one, other] = [take(), left, binary(level + 1)];
      left = (at) => operate(operator, one(at), other(at));
    }
    return left;
  };

  const list = (end: string): Node[] => {
    const items: Node[] = [];
    while (peek() !== end) {
      items.push(binary(0));
      if (peek() === ',') take();
    }
    expect(end);
    return items;
  };

  const primary = (): Node => {
    const word = take();
    if (/^\d/.test(word)) return () => Number(word);
    if (word === '(') {
      const [inner] = list(')');
      return inner as Node;
    }
    if (!/^[A-Za-z_]/.test(word)) throw new Error(`"${expression}" has ${word} where a value belongs`);
    if (peek() !== '(') return (at) => at(word);
    take();
    if (peek() !== '[') return call(word, list(')'));
    take();
    const items = list(']');
    expect(')');
    return aggregate(word, items);
  };

  const whole = binary(0);
  if (next < words.length) throw new Error(`"${expression}" goes on with ${peek()}`);
  return whole;
}

function wordsOf(expression: string): string[] {
  const words: string[] = [];
  tokens.lastIndex = 0;
  while (tokens.lastIndex < expression.length) {
    const [, word] = tokens.exec(expression) ?? [];
    if (word === undefined) throw new Error(`"${expression}" can't be read`);
    words.push(word);
  }
  return words;
}

function operate(operator: string, one: Value, other: Value): Value {
  if (one === undefined || other === undefined) return undefined;
  if (operator === '/') return other === 0 ? undefined : one / other;
  const results: Record<string, number | boolean> = {
    '+': one + other,
    '-': one - other,
    '*': one * other,
    '>': one > other,
    '<': one < other,
    '>=': one >= other,
    '<=': one <= other,
    '==': one === other,
    '!=': one !== other,
    AND: one !== 0 && other !== 0,
    OR: one !== 0 || other !== 0,
  };
  return Number(results[operator]);
}

function call(name: string, [first, second, third]: readonly Node[]): Node {
  if (name === 'FILL' && first && second) return (at) => first(at) ?? second(at);
  if (name !== 'IF' || !first || !second || !third) throw new Error(`unknown function ${name}`);
  return (at) => {
    const condition = first(at);
    if (condition === undefined) return undefined;
    return condition === 0 ? third(at) : second(at);
  };
}

function aggregate(name: string, items: readonly Node[]): Node {
  const kinds: Record<string, (values: number[]) => number> = {
    MAX: (values) => Math.max(...values),
    MIN: (values) => Math.min(...values),
    SUM: (values) => values.reduce((sum, value) => sum + value, 0),
  };
  const kind = kinds[name];
  if (!kind) throw new Error(`unknown function ${name} of a list`);
  return (at) => {
    const values = items.map((item) => item(at));
    return values.includes(undefined) ? undefined : kind(values as number[]);
  };
}
