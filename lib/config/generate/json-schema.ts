import { z } from 'zod';
import { type Knob, knobs } from '../knobs.ts';
import { presets } from '../presets.ts';

/** The JSON schema of cdk.json. Editors use it to complete and explain the knobs in its `context`. */
export function cdkJsonSchema(): Record<string, unknown> {
  const { properties = {} } = z.toJSONSchema(knobs, { io: 'output', unrepresentable: 'any' });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'cdk.json of Realtime Stack',
    type: 'object',
    properties: {
      context: {
        type: 'object',
        properties: Object.fromEntries(
          Object.entries(properties).map(([knob, schema]) => [knob, withPresets(knob as Knob, schema)]),
        ),
      },
    },
  };
}

function withPresets(knob: Knob, schema: z.core.JSONSchema._JSONSchema): unknown {
  if (typeof schema === 'boolean') return schema;
  const values = Object.fromEntries(
    Object.entries(presets).map(([name, preset]) => [name, (preset as Record<string, unknown>)[knob]]),
  );
  const { dev, prod } = values;
  if (dev === undefined) return schema;
  const defaults = dev === prod ? `Default: ${dev}.` : `Default: ${dev} in dev, ${prod} in prod.`;
  return { ...schema, description: `${schema.description} ${defaults}` };
}
