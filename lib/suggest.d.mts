/** @returns ` Did you mean X?` for the name that `misspelt` was probably meant to be, or an empty text */
export function suggestion(misspelt: string, names: readonly string[]): string;

/** @returns the same for the option that Node.js' `parseArgs` does not know, from its message */
export function optionSuggestion(message: string, names: readonly string[]): string;

/** @returns the name that `misspelt` was probably meant to be; undefined where no name is near */
export function nearest(misspelt: string, names: readonly string[]): string | undefined;
