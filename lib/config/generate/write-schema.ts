import { writeFileSync } from 'node:fs';
import { cdkJsonSchema } from './json-schema.ts';

/** Run this after a change of the knobs: `node --import tsx lib/config/generate/write-schema.ts`. */
writeFileSync(
  new URL('../cdk.schema.json', import.meta.url),
  `${JSON.stringify(cdkJsonSchema(), undefined, 2)}\n`,
);
