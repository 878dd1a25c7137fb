import { readFileSync, writeFileSync } from 'node:fs';
import { renderVariables, variablesSection } from './variables-table.ts';

/** Run this after a change of the service's variables: `node --import tsx lib/config/generate/write-readme.ts`. */
const readme = new URL('../../../README.md', import.meta.url);
const text = readFileSync(readme, 'utf8');
writeFileSync(
  readme,
  text.replace(variablesSection, () => renderVariables()),
);
