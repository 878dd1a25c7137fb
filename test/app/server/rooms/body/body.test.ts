import { BodyError, bodyInRequest, bodyOf } from '../../../../../app/server/rooms/body/body.ts';
import { deepestBody } from '../../../../../app/server/rooms/body/json-scan.ts';
import { firstArgumentIn } from '../../../../../app/server/socketio/wire-text.ts';
import { type Random, seededRandom } from '../../../../support/random.ts';

/** Bodies as text: what a parser has taken is found in it, as its sender wrote it, or refused by a rule. */

const any = Number.POSITIVE_INFINITY;
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const within = (body: string, mostBytes = any) => bodyInRequest(`{"room":"r","body":${body}}`, 0, mostBytes);
const inPacket = (packet: string) => bodyInRequest(packet, firstArgumentIn(packet), any);
const faultOf = (run: () => unknown) => {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    return error.message;
  }
};

const space = (random: Random) => random.pick(['', '', '', ' ', '\n', '\t\r\n ']);
const scalars = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '1e3',
  '-1.5E-7',
  '12345678901234567890',
  '0.1000',
  '1e308',
  '1e-400',
];
const units = [
  ...'ab"}]{[,: ',
  '\\"',
  '\\\\',
  '\\n',
  '\\u0000',
  '\\/',
  '\\ud83c\\udf88',
  '🎈',
  '\u2028',
  'é',
];

function drawText(random: Random): string {
  return `"${Array.from({ length: random.below(6) }, () => random.pick(units))
    .map((unit) => (unit === '"' ? '\\"' : unit))
    .join('')}"`;
}

/** Keys that mislead who looks for `body`, or makes objects of them. */
const keys = ['"body"', '"bod\\u0079"', '"__proto__"', '"toJSON"', '"constructor"', '"room"', '"a"', '""'];

function drawJson(random: Random, depth = 0): string {
  if (depth > 4 || random.chance(0.4)) return random.chance(0.5) ? random.pick(scalars) : drawText(random);
  const isList = random.chance(0.5);
  const parts = Array.from({ length: random.below(4) }, () => {
    const value = space(random) + drawJson(random, depth + 1) + space(random);
    if (isList) return value;
    const key = random.chance(0.5) ? random.pick(keys) : drawText(random);
    return `${space(random)}${key}${space(random)}:${value}`;
  });
  return isList ? `[${parts.join(',') || space(random)}]` : `{${parts.join(',') || space(random)}}`;
}

test('of any request: the body that a parser finds, on one line, with every digit of its numbers', () => {
  const random = seededRandom(Number(process.env.SEED ?? 1));
  let found = 0;
  for (let n = 0; n < 1_000; n += 1) {
    const members = Array.from({ length: random.below(4) }, () => [random.pick(keys), drawJson(random)]);
    const texts = members.map(([key, value]) => `${key}${space(random)}:${space(random)}${value}`);
    const request = `{${space(random)}${texts.join(`${space(random)},${space(random)}`)}}`;
    const packet = random.pick(['2', '2/chat,', '2/a[b"],', '2/chat,17', '217']);
    const event = drawText(random);
    // As for parsers, the last of two with one name counts.
    const [, body] = members.findLast(([key]) => JSON.parse(key as string) === 'body') ?? [];
    for (const read of [
      () => bodyInRequest(request, 0, any),
      () => inPacket(`${packet}[${space(random)}${event}${space(random)},${space(random)}${request}]`),
      () => inPacket(`${packet}[${event},${request},${drawJson(random)}]`),
    ]) {
      if (body === undefined) {
        expect(faultOf(read)).toBe('body: must be there');
        continue;
      }
      found += 1;
      const text = read();
      expect(JSON.parse(text)).toEqual(JSON.parse(body));
      expect(text).not.toMatch(/[\n\r\t]/);
      expect(digitsIn(text)).toEqual(digitsIn(body));
    }
  }
  expect(found).toBeGreaterThan(500);
});

/** The numbers of a JSON text, as they are written. */
function digitsIn(json: string): string[] {
  return json.replace(/"(?:[^"\\]|\\.)*"/g, '"').match(/-?\d[\d.eE+-]*/g) ?? [];
}

describe('what readers could not be given is refused, with the rule', () => {
  const tooDeep = `body: must have at most ${deepestBody} levels of arrays and objects`;
  const half = 'body: must be well-formed Unicode: half of a surrogate pair is none';
  const noNumber = 'body: must hold no number beyond 1.8e308: readers would have another one';

  test.each([
    ['one level too many', nested(deepestBody + 1), tooDeep],
    ['as many levels as a packet holds', nested(50_000), tooDeep],
    ['levels of objects', `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`, tooDeep],
    ['levels that come late', `[${'[],'.repeat(1_000)}${nested(100)}]`, tooDeep],
    ['a high surrogate', '"\\ud800"', half],
    ['a low one', '"\\udc00"', half],
    ['two that are the wrong way round', '"\\udc00\\ud800"', half],
    ['a high one before something else', '"\\ud800\\n"', half],
    ['two high ones', '"\\ud800\\ud800"', half],
    ['one in a name', '{"\\uDBFF":1}', half],
    ['one behind a backslash that is escaped', '["\\\\\\ud800"]', half],
    ['a number beyond a double', '1e400', noNumber],
    ['one below', '[-1e400]', noNumber],
    ['one of 400 digits', `{"a":${'9'.repeat(400)}}`, noNumber],
  ])('%s', (_case, body, rule) => {
    expect(faultOf(() => within(body))).toBe(rule);
  });

  test.each([
    ['the deepest', nested(deepestBody)],
    ['a pair', '"\\ud83c\\udf88"'],
    ['what looks like half a pair and is text', '"\\\\ud800"'],
    ['the largest number', '1.7976931348623157e308'],
    ['300 digits and more that are none too large', `0.${'0'.repeat(400)}1`],
    ['500 KB of escapes between spaces', `[ "${'\\n'.repeat(250_000)}" ]`],
    ['10,000 names', `{${Array.from({ length: 10_000 }, (_, n) => `"k${n}":${n}`).join(',')}}`],
    ['the prototype', '{"__proto__":{"toJSON":1},"constructor":{"prototype":null}}'],
  ])('%s is taken as it is', (_case, body) => {
    expect(JSON.parse(within(body))).toEqual(JSON.parse(body));
  });

  test('bytes are counted as UTF-8 of one line: as many as are allowed, and not one more', () => {
    const body = `["${'ü'.repeat(10)}"]`;
    expect(within(body, 24)).toBe(body);
    expect(within(`[\n  "${'ü'.repeat(10)}"\n]`, 24)).toBe(body);
    expect(faultOf(() => within(body, 23))).toBe('body: must have at most 23 bytes as JSON');
  });
});

describe("a body of this process's own", () => {
  const circular: unknown[] = [];
  circular.push(circular);
  let deep: unknown = 1;
  for (let n = 0; n < 100_000; n += 1) deep = [deep];

  test.each([
    ['undefined', undefined, 'must be JSON, got: undefined'],
    ['a function', () => 1, 'must be JSON, got: function'],
    ['no number', { a: Number.NaN }, 'must be JSON, which has no NaN'],
    ['an infinite one', [Number.NEGATIVE_INFINITY], 'must be JSON, which has no -Infinity'],
    ['a whole number of another kind', 1n, 'must be JSON: '],
    ['binary', Buffer.from('x'), 'must be JSON: binary is not taken'],
    ['binary within', { a: [new Uint16Array(1)] }, 'must be JSON: binary is not taken'],
    ['a circle', circular, 'must be JSON: '],
    ['too deep', deep, 'must have at most 100 levels'],
    ['half a pair', '\ud800', 'must be well-formed Unicode'],
    ['half a pair in a name', { '\udc00': 1 }, 'must be well-formed Unicode'],
  ])('%s is refused', (_case, body, rule) => {
    expect(faultOf(() => bodyOf(body, any))).toContain(`body: ${rule}`);
  });

  test('what JSON makes of it counts', () => {
    expect(bodyOf({ at: new Date(0), a: undefined, b: [undefined] }, any)).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","b":[null]}',
    );
    expect(bodyOf({ toJSON: () => ['x'] }, any)).toBe('["x"]');
  });
});
