import { readFileSync } from 'node:fs';
import { StartError } from '../processes/start.ts';
import type { PrivateFolder } from '../processes/watchdog.ts';

/** Names the file of the authorities that Node trusts besides its own. */
export const extraCaVariable = 'NODE_EXTRA_CA_CERTS';

export interface Certificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** No topology runs for longer. */
const validDays = 365;

/**
 * Makes a self-signed certificate for a server on this machine. It can sign no other, so whoever trusts it trusts this
 * one server.
 */
export async function makeCertificate(commonName: string): Promise<Certificate> {
  // Node reads certificates but can't make them.
  const { generate } = await import('selfsigned');
  const made = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + validDays * 24 * 3600_000),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { certificate: made.cert, key: made.private };
}

/**
 * Writes a file with `ca` and with the content of the environment's own file (a company's proxy, perhaps): Node reads
 * one such file only.
 * @returns the file's path
 * @throws StartError when the environment's file can't be read
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
