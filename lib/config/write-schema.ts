import { writeFileSync } from 'node:fs';
import { cdkJsonSchema } from './json-schema.ts';

/** `node --import tsx lib/config/write-schema.ts`, after a change of the knobs. */
writeFileSync(
  new URL('./cdk.schema.json', import.meta.url),
  `${JSON.stringify(cdkJsonSchema(), undefined, 2)}\n`,
);
