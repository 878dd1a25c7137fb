import { readFileSync } from 'node:fs';
import type { PrivateFolder } from './private-folder.ts';
import { StartError } from './start-error.ts';

/** Node reads the authorities that it trusts besides its own from the file that this variable names. */
export const extraCaVariable = 'NODE_EXTRA_CA_CERTS';

/**
 * A file with `ca` and with what the environment's own file has, a company's proxy perhaps, for there can be one only.
 * @throws StartError when that file can't be read
 */
export function extraCaFile(ca: string, environment: NodeJS.ProcessEnv, folder: PrivateFolder): string {
  const own = environment[extraCaVariable];
  return folder.write('trusted.pem', own ? `${readOwn(own)}\n${ca}` : ca);
}

function readOwn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new StartError(
      `${extraCaVariable} names a file that can't be read: ${(error as Error).message}. Mend it, or unset it.`,
    );
  }
}
