export type Part = 'server' | 'page' | 'library';

export const parts: readonly Part[];

export function partsMadeFrom(path: string): readonly Part[];
