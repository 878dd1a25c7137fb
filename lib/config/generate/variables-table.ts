import { serviceVariables } from '../../../app/server/service-variables.ts';
import type { Variable } from '../../../app/server/variables.ts';

/** The part of the README that `renderVariables` renders. */
export const variablesSection = /<!-- write-readme\.ts -->[\s\S]*?<!-- end of the variables -->/;

/** The service's environment as a table in Markdown, for the README. */
export function renderVariables(): string {
  return [
    '<!-- write-readme.ts -->',
    '| variable | default | |',
    '|---|---|---|',
    ...Object.values<Variable>(serviceVariables).map(
      ({ name, otherwise, about }) => `| \`${name}\` | ${shown(otherwise)} | ${about} |`,
    ),
    '<!-- end of the variables -->',
  ].join('\n');
}

function shown(value: unknown): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string' || typeof value === 'boolean') return `\`${value}\``;
  return '–';
}
