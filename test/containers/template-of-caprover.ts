/**
 * Renders an EJS template as far as CapRover's use it: `<% code %>` and `<%- value %>`. Missing values are falsy.
 *
 * @param values what the template knows as `s`
 */
export function renderTemplate(template: string, values: Readonly<Record<string, unknown>>): string {
  const code = template.split(/<%([\s\S]*?)%>/).map((part, index) => {
    if (index % 2 === 0) return `text += ${JSON.stringify(part)};`;
    return part.startsWith('-') ? `text += ${part.slice(1)};` : part;
  });
  return new Function('s', `let text = '';\n${code.join('\n')}\nreturn text;`)(values);
}
