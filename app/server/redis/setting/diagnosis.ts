import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { RedisEndpoint, RedisSetting } from './setting.ts';

/** How long the other protocol is tried, in milliseconds, to tell TLS on a plain port and the reverse. */
const probeTimeoutMs = 1_000;

/** Says of a connection that failed, by what ioredis reports, what is wrong and what to do. */
export async function explainConnectFailure(
  error: Error,
  setting: RedisSetting,
  endpoint: RedisEndpoint,
): Promise<Error> {
  const where = `${endpoint.host}:${endpoint.port}`;
  const known = explainByMessage(error, setting, where);
  if (known) return new Error(known, { cause: error });
  const crossed = await explainCrossedTls(setting, endpoint, where);
  return new Error(crossed ?? `${where}: ${error.message}.`, { cause: error });
}

function explainByMessage(error: Error, setting: RedisSetting, where: string): string | undefined {
  const { message } = error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const user = setting.username ?? 'default';
  if (/^NOAUTH/.test(message)) return `${where} asks for a password and the setting has none (NOAUTH).`;
  if (/^WRONGPASS|invalid password/.test(message)) {
    return `${where} refuses the password of user ${user}, or knows no such user (WRONGPASS).`;
  }
  if (/^NOPERM/.test(message)) return `${where}: user ${user} lacks a permission: ${message}.`;
  if (/^EVICTION/.test(message)) return `${where}: ${message.slice('EVICTION '.length)}.`;
  if (/^READONLY/.test(message)) return `${where} is a replica: name the primary endpoint.`;
  if (/^VERSION/.test(message)) return `${where}: ${message.slice('VERSION '.length)}.`;
  if (/SELECT is not allowed in cluster mode/.test(message))
    return `${where} is of a cluster, which has database 0 alone: leave the database out of the setting.`;
  if (/^LOADING/.test(message)) return `${where} is still loading its data set.`;
  if (code === 'ECONNREFUSED')
    return `nothing listens on ${where} (ECONNREFUSED): check host, port and that Redis runs.`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `the host name of ${where} does not resolve (${code}).`;
  if (/CERT|ALTNAME|UNABLE_TO_VERIFY/.test(code)) {
    return `the certificate of ${where} is not trusted (${code}): add its CA with NODE_EXTRA_CA_CERTS, or name the host that it was issued for.`;
  }
  return undefined;
}

/** A plain server swallows a TLS hello in silence, a TLS server hangs up on plain text: only a try tells. */
async function explainCrossedTls(
  setting: RedisSetting,
  endpoint: RedisEndpoint,
  where: string,
): Promise<string | undefined> {
  if (setting.tls && (await answersPlain(endpoint))) {
    return `${where} speaks plain Redis and the setting asks for TLS: use redis:// (or ssl=false), or the TLS port.`;
  }
  if (!setting.tls && (await answersTls(endpoint))) {
    return `${where} speaks TLS and the setting does not: use rediss:// (or ssl=true).`;
  }
  return undefined;
}

function answersPlain({ host, port }: RedisEndpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port }, () => socket.write('PING\r\n'));
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(probeTimeoutMs, () => settle(false));
    socket.once('data', (data) => settle(/^[+-]/.test(data.toString('latin1'))));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
  });
}

/** The certificate does not matter here: nothing is sent, only the handshake is tried. */
function answersTls({ host, port }: RedisEndpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ host, port, rejectUnauthorized: false });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(probeTimeoutMs, () => settle(false));
    socket.once('secureConnect', () => settle(true));
    // A server that wants a client certificate has spoken TLS too.
    socket.once('error', (error) =>
      settle(/ALERT|CERTIFICATE_REQUIRED/i.test(String((error as NodeJS.ErrnoException).code))),
    );
    socket.once('close', () => settle(false));
  });
}
