/**
 * Finds the name that a misspelt one was probably meant to be.
 * @returns {string} ` Did you mean X?`, to be appended to a sentence; empty where no name is near
 */
export function suggestion(misspelt, names) {
  const name = nearest(misspelt, names);
  return name === undefined ? '' : ` Did you mean ${name}?`;
}

/**
 * The same for the option that `parseArgs` of Node.js does not know.
 * @param message of its error
 */
export function optionSuggestion(message, names) {
  const [, option] = /^Unknown option '(-[^'=]*)/.exec(message) ?? [];
  return option === undefined ? '' : suggestion(option, names);
}

/** The name that a misspelt one was probably meant to be; undefined where no name is near. */
export function nearest(misspelt, names) {
  const near = names
    .map((name) => ({ name, distance: distance(plain(misspelt), plain(name)) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.name;
}

/** Case and hyphens are no mistakes: `--min-tasks` is `minTasks`. */
function plain(name) {
  return name.replace(/[-_]/g, '').toLowerCase();
}

/** Insertions, deletions, replacements and swaps of neighbours that make one text the other. */
function distance(from, to) {
  const rows = [Array.from({ length: to.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const isSame = from[i - 1] === to[j - 1];
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row[j] = Math.min(
        rows[i - 1][j] + 1,
        row[j - 1] + 1,
        rows[i - 1][j - 1] + (isSame ? 0 : 1),
        isSwap ? rows[i - 2][j - 2] + 1 : Number.POSITIVE_INFINITY,
      );
    }
    rows.push(row);
  }
  return rows[from.length][to.length];
}
