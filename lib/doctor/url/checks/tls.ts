import { connect as connectHttp2, constants } from 'node:http2';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { duration } from '../../../verify/wording.ts';
import { notChecked, passed } from '../../finding.ts';
import { type Check, type Finding, failed, warned } from '../check.ts';
import { patienceMs } from '../protocols/session.ts';
import type { Subject } from '../subject.ts';

const shortestValidityMs = 14 * 86_400_000;

/** A name or an address that leads nowhere but to this machine or its network. */
const isPrivate = (host: string): boolean =>
  /^(localhost|.*\.(local|internal|localhost))$|^(127|10)\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\.|^\[/.test(
    host,
  ) || !host.includes('.');

export const transportSecurity: Check = {
  name: 'tls',
  run: async ({ url }) => {
    const { protocol, hostname } = new URL(url);
    if (protocol === 'https:') return assessCertificate(url);
    if (isPrivate(hostname)) return passed('plain HTTP, at an address that is not public');
    return warned({
      found: `${url} is plain HTTP`,
      cause:
        'tokens can be read on the way, pages of HTTPS may not connect (mixed content), and networks break more WebSockets than over TLS',
      fix: 'serve HTTPS, and give the address with https:// to clients',
    });
  },
};

async function assessCertificate(url: string): Promise<Finding> {
  const socket = await greet(url, ['http/1.1']).catch((error: Error) => error);
  if (socket instanceof Error) return notChecked(`TLS failed: ${socket.message}`);
  const { valid_to: end } = socket.getPeerCertificate();
  const version = socket.getProtocol();
  socket.destroy();
  const leftMs = Date.parse(end) - Date.now();
  if (leftMs < shortestValidityMs)
    return warned({
      found: `the certificate ends in ${duration(leftMs)}`,
      cause: 'nothing has renewed it yet',
      fix: 'look at what renews it (certbot, CapRover, ACM)',
    });
  return passed(`${version}, a trusted certificate for ${duration(leftMs)} more`);
}

function greet(url: string, protocols: readonly string[]): Promise<TLSSocket> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(port) || 443,
      ALPNProtocols: [...protocols],
      // A certificate that is not trusted has ended the run before; nothing is sent by this connection.
      rejectUnauthorized: false,
      ...(isIP(host) ? {} : { servername: host }),
    });
    socket.setTimeout(patienceMs, () => socket.destroy(new Error('no response in time')));
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Browsers use HTTP/2 where it is offered: then WebSockets need HTTP/1.1 beside it, or RFC 8441. */
export const http2: Check = {
  name: 'http2',
  applies: ({ url }) => url.startsWith('https:'),
  run: async (subject) => {
    const socket = await greet(subject.url, ['h2', 'http/1.1']).catch((error: Error) => error);
    if (socket instanceof Error) return notChecked(`TLS failed: ${socket.message}`);
    const chosen = socket.alpnProtocol;
    socket.destroy();
    if (chosen !== 'h2') return passed('HTTP/1.1 alone, by which WebSockets are opened');
    return assessHttp2(subject);
  },
};

async function assessHttp2(subject: Subject): Promise<Finding> {
  const session = connectHttp2(subject.url, { rejectUnauthorized: false });
  const failure = new Promise<never>((_resolve, reject) => {
    session.once('error', reject);
    session.setTimeout(patienceMs, () => reject(new Error('no response in time')));
  });
  failure.catch(() => undefined);
  try {
    const settings = new Promise<boolean>((resolve) =>
      session.once('remoteSettings', ({ enableConnectProtocol }) => resolve(enableConnectProtocol === true)),
    );
    if (!(await Promise.race([settings, failure])))
      return passed('offered, without WebSockets in it: browsers open them by HTTP/1.1');
    const { status } = await Promise.race([openOver(session, subject), failure]);
    if (status === 200) return passed('offered, and WebSockets open in it, too');
    return failed({
      found: `HTTP/2 offers WebSockets (RFC 8441), and one gets ${status}`,
      cause:
        'browsers take the offer, and the hop behind it does not keep it: WebSockets fail in browsers alone',
      fix: 'switch extended CONNECT off at the proxy (or HTTP/2 for this host), or let it pass such requests on',
    });
  } catch (error) {
    return notChecked(`HTTP/2 failed: ${(error as Error).message}`);
  } finally {
    session.destroy();
  }
}

function openOver(
  session: ReturnType<typeof connectHttp2>,
  { endpoints }: Subject,
): Promise<{ readonly status: number }> {
  const [endpoint] = endpoints;
  const query = endpoint?.protocol === 'socketio' ? '?EIO=4&transport=websocket' : '';
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'CONNECT',
    ':protocol': 'websocket',
    [constants.HTTP2_HEADER_PATH]: `${endpoint?.path ?? '/'}${query}`,
    'sec-websocket-version': '13',
  });
  return new Promise((resolve, reject) => {
    stream.once('response', (headers) => resolve({ status: Number(headers[':status']) }));
    stream.once('error', reject);
  });
}
