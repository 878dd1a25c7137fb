import { notChecked, passed } from '../../finding.ts';
import { type Check, type Finding, failed } from '../check.ts';
import type { Refusal } from '../probe-socket.ts';
import type { Probes } from '../probes.ts';
import {
  closePolling,
  connectPacket,
  type Handshake,
  isOpening,
  isProbed,
  openEngineSocket,
  openPolling,
  probePacket,
} from '../protocols/engine-io.ts';
import { cookieHeader, patienceMs } from '../protocols/session.ts';
import { handshakeRecord, isWelcome, openHubSocket } from '../protocols/signalr.ts';
import type { Endpoint, Subject } from '../subject.ts';

/** A client that begins with a WebSocket: with it, no stickiness is needed. */
export function webSocketOpens(endpoint: Endpoint): Check {
  return {
    name: endpoint.protocol === 'socketio' ? 'websocket' : 'hub-websocket',
    run: async (subject, probes) => {
      const opened = await probes.webSocket(endpoint);
      if ('refusal' in opened)
        return failed({
          found: `a WebSocket is not opened: ${opened.refusal.words}`,
          ...(await explainRefusal(opened.refusal, endpoint, probes)),
        });
      return endpoint.protocol === 'socketio' ? sayHello(subject, endpoint) : shakeHands(subject, endpoint);
    },
  };
}

async function sayHello(subject: Subject, { path }: Endpoint) {
  const opened = await openEngineSocket(subject, path);
  if ('refusal' in opened) return notChecked(`the second one is not opened: ${opened.refusal.words}`);
  const { socket } = opened;
  try {
    if ((await socket.next(isOpening, patienceMs)) === undefined) return failed(silent);
    socket.send(connectPacket(subject));
    const reply = await socket.next((text) => /^4[04]/.test(text), patienceMs);
    const said = reply?.startsWith('40') ? 'lets it in' : `says ${reply?.slice(2, 120) ?? 'nothing'}`;
    return passed(`it opens by HTTP 101 without a session, the server ${said}`);
  } finally {
    socket.close();
  }
}

async function shakeHands(subject: Subject, { path }: Endpoint) {
  const opened = await openHubSocket(subject, path);
  if ('refusal' in opened) return notChecked(`the second one is not opened: ${opened.refusal.words}`);
  const { socket } = opened;
  try {
    socket.send(handshakeRecord);
    const reply = await socket.next((text) => text.startsWith('{'), patienceMs);
    if (reply === undefined) return failed(silent);
    const said = isWelcome(reply) ? 'takes the handshake' : `says ${reply.slice(0, 120)}`;
    return passed(`it opens by HTTP 101 without a negotiation (skipNegotiation), and the hub ${said}`);
  } finally {
    socket.close();
  }
}

const silent = {
  found: 'a WebSocket opens (HTTP 101), and nothing comes by it',
  cause: 'a hop answers the upgrade itself and passes no frames on',
  fix: 'look for a firewall or an antivirus that inspects WebSockets, and for a proxy that buffers them',
};

const forward =
  'let it forward the headers Upgrade and Connection over HTTP/1.1 (nginx: proxy_http_version 1.1 and both proxy_set_header lines; CapRover: “Websocket Support” of the app)';

async function explainRefusal({ status, httpVersion, words }: Refusal, endpoint: Endpoint, probes: Probes) {
  const polls = await probes.sessions(endpoint).catch(() => undefined);
  const well = polls ? 'plain requests get through, so the path is right: ' : '';
  const passOn = `${well}the proxy does not pass the WebSocket upgrade on`;
  if (status === 0)
    return {
      cause: `${passOn}, and ends the connection or lets it hang`,
      fix: `${forward}; then look in its log for limits of connections`,
    };
  if (httpVersion === '1.0') return { cause: `${passOn}: it speaks HTTP/1.0`, fix: forward };
  if (status === 401)
    return { cause: 'the server lets nobody in without a token', fix: 'give --token, which it accepts' };
  if (status === 403)
    return {
      cause: 'a firewall before the server, or its own look at Origin, rejects WebSockets',
      fix: "look at the rules of the WAF or the CDN for Upgrade, then at the server's allowed origins",
    };
  if (status >= 300 && status < 400)
    return {
      cause: 'the proxy redirects the upgrade, which no client follows',
      fix: 'give the address that it redirects to',
    };
  if (status >= 500)
    return {
      cause: `${passOn}, or the instance behind it fails (${status})`,
      fix: `${forward}; then look in its log`,
    };
  if (/Transport unknown|transport is disabled|not supported/i.test(words) && !/Bad request/i.test(words))
    return {
      cause: `${passOn}, or the server has WebSockets switched off`,
      fix: `${forward}; look at \`transports\` of the server`,
    };
  return { cause: `${passOn}: the server got a plain request (HTTP ${status})`, fix: forward };
}

/** A Socket.IO client that starts by polling, as all do by default, and goes on by WebSocket. */
export function sessionUpgrades(endpoint: Endpoint): Check {
  return {
    name: 'upgrade',
    run: async (subject, probes) => {
      if (!(await probes.webSocketWorks(endpoint))) return notChecked('no WebSocket opens at all');
      if ((await probes.sessions(endpoint)).astray > 0)
        return notChecked('polling sessions break before they could upgrade');
      const session = await openPolling(subject, endpoint.path);
      try {
        return await tryUpgrade(subject, endpoint.path, session);
      } finally {
        await closePolling(subject, endpoint.path, session);
      }
    },
  };
}

async function tryUpgrade(
  subject: Subject,
  path: string,
  { sid, cookies, upgrades }: Handshake,
): Promise<Finding> {
  if (!upgrades.includes('websocket')) return passed('the server offers none, and clients ask for none');
  const opened = await openEngineSocket(subject, path, cookieHeader(cookies), sid);
  if ('refusal' in opened)
    return failed({
      found: `a session's own upgrade is rejected: ${opened.refusal.words}; WebSockets without a session open`,
      cause: 'the upgrade reaches another instance than the polling did',
      fix: 'let stickiness hold for requests with Upgrade as well: the same cookie, the same rule at every hop',
    });
  const { socket } = opened;
  try {
    socket.send(probePacket);
    if (await socket.next(isProbed, patienceMs)) return passed('a polling session goes on by WebSocket');
    return failed({ ...silent, found: "a session's upgrade opens, and its probe gets no answer" });
  } finally {
    socket.close();
  }
}
