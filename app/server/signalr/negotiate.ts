/** The versions of the negotiation: 1 tells the connection's id from the token that leads to it. */
const latestVersion = 1;

const availableTransports = [
  { transport: 'WebSockets', transferFormats: ['Text', 'Binary'] },
  { transport: 'ServerSentEvents', transferFormats: ['Text'] },
  { transport: 'LongPolling', transferFormats: ['Text', 'Binary'] },
];

/** @param asked `negotiateVersion` as it came  @returns undefined for what is no version */
export function negotiatedVersion(asked: string | null): number | undefined {
  if (asked === null) return 0;
  if (!/^-?\d+$/.test(asked)) return undefined;
  return Math.max(0, Math.min(latestVersion, Number(asked)));
}

/** The answer to a negotiation, by its version. In version 0 the client shows the id that it was given. */
export function negotiation(version: number, connectionId: string, token: string): object {
  return version === 0
    ? { negotiateVersion: 0, connectionId: token, availableTransports }
    : { negotiateVersion: version, connectionId, connectionToken: token, availableTransports };
}

export const notAnInteger = { error: 'The client requested a non-integer protocol version.' };
