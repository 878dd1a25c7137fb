/** What is read of a synthesized template. */
export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
}

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: properties are JSON of any shape
  readonly Properties?: any;
}

export function ofType(template: Template, type: string): readonly [id: string, properties: Properties][] {
  return Object.entries(template.Resources)
    .filter(([, resource]) => resource.Type === type)
    .map(([id, resource]) => [id, resource.Properties ?? {}]);
}

// biome-ignore lint/suspicious/noExplicitAny: properties are JSON of any shape
export type Properties = any;
