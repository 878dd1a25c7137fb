import { readFileSync } from 'node:fs';
import { cdkJsonSchema } from '../../../lib/config/generate/json-schema.ts';
import { knobs } from '../../../lib/config/knobs.ts';

const { context } = (cdkJsonSchema() as { properties: Record<string, { properties: object }> }).properties;

test('the schema beside the knobs is theirs: `node --import tsx lib/config/generate/write-schema.ts` writes it', () => {
  expect(JSON.parse(readFileSync('lib/config/cdk.schema.json', 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(cdkJsonSchema())),
  );
});

test('editors complete every knob and explain it', () => {
  const described = Object.entries(context?.properties ?? {});
  expect(described.map(([knob]) => knob)).toEqual(Object.keys(knobs.shape));
  expect(described.filter(([, { description }]) => !(description?.length > 20))).toEqual([]);
});

test('cdk.json names the schema', () => {
  expect(JSON.parse(readFileSync('cdk.json', 'utf8')).$schema).toBe('./lib/config/cdk.schema.json');
});
