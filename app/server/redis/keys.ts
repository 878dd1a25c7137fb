/**
 * Names of keys and channels in Redis.
 *
 * Pub/Sub ignores the number of a database, so every name begins with the deployment. What stands between braces is the
 * name's hash tag: a cluster keeps names with the same tag in one slot, and a script may use keys of one slot alone.
 */

/** @param parts in order; a `hashTag` may be one of them */
export function redisName(deployment: string, ...parts: readonly string[]): string {
  return [deployment, ...parts].join(':');
}

/**
 * `{hub/room}`. Different names give different tags: `%`, `{` and `}` are escaped, and a slash in all but the last, which
 * alone may come from outside.
 */
export function hashTag(...names: readonly string[]): string {
  const last = names.length - 1;
  const escaped = names.map((name, index) =>
    name.replace(index < last ? /[%{}/]/g : /[%{}]/g, encodeURIComponent),
  );
  return `{${escaped.join('/')}}`;
}
