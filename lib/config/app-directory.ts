import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The folder of the service's source: the nearest `app/` with a Dockerfile at or above `from`, so that it is found
 * from the sources and from wherever a build puts them.
 */
export function findAppDirectory(from: string = import.meta.dirname): string {
  const candidate = join(from, 'app');
  if (existsSync(join(candidate, 'Dockerfile'))) return candidate;
  const parent = dirname(from);
  if (parent === from)
    throw new Error(
      '`app/Dockerfile` must stand in a folder above the stack, got: none; run from the repository, or set `imageUri`',
    );
  return findAppDirectory(parent);
}
