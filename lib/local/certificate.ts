export interface Certificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** A topology that runs for longer is made anew. */
const validDays = 365;

/**
 * Makes a certificate for servers on this machine. It vouches for itself and can sign no other, so whoever trusts it
 * trusts this one server.
 */
export async function makeCertificate(commonName: string): Promise<Certificate> {
  // Node reads certificates and writes none.
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
