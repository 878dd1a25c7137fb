import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { sendRequest } from '../../../verify/target/request.ts';
import { notChecked, passed } from '../../finding.ts';
import { type Check, type Finding, failed } from '../check.ts';
import { cookieHeader, patienceMs } from '../protocols/session.ts';
import { authorization, handshakeRecord, negotiate } from '../protocols/signalr.ts';
import type { Endpoint } from '../subject.ts';

/** Behind a proxy without stickiness, so many tries bring a request to the instance that it belongs to. */
const tries = 8;

/** Server-Sent Events, to which SignalR's clients turn where WebSockets fail. */
export function eventsStream({ path }: Endpoint): Check {
  return {
    name: 'event-stream',
    run: async (subject) => {
      const { id, cookies, transports } = await negotiate(subject, path);
      if (!transports.includes('ServerSentEvents')) return notChecked('the server has it switched off');
      const url = new URL(`${path}?id=${encodeURIComponent(id)}`, subject.url);
      const headers = { ...authorization(subject), ...cookieHeader(cookies) };
      const stream = await openStream(url, headers);
      if (!stream) return notChecked(`${tries} requests reached no instance that knows the connection`);
      try {
        return await awaitReply(stream, url, headers);
      } finally {
        stream.close();
      }
    },
  };
}

async function awaitReply(stream: EventStream, url: URL, headers: Headers): Promise<Finding> {
  if (!(await shakeHands(url, headers)))
    return notChecked(`the stream opened, and ${tries} requests reached no instance that knows it`);
  if (await stream.until(() => stream.text.includes('data: {'), patienceMs))
    return passed('what the hub sends arrives at once');
  const arrived =
    stream.status === undefined
      ? 'not even the head of the response did'
      : `HTTP ${stream.status} and ${stream.text.length} characters did`;
  return failed({
    found: `the hub took a client's handshake, and its reply did not arrive within ${patienceMs / 1_000} s (${arrived})`,
    cause: 'a proxy holds back responses that go on: it buffers, compresses or caches text/event-stream',
    fix: 'switch buffering off (nginx: proxy_buffering off, or the header X-Accel-Buffering: no; a CDN: no compression for text/event-stream), or let clients use WebSockets alone',
  });
}

type Headers = Readonly<Record<string, string>>;

/** @returns undefined if no instance knows the connection */
async function openStream(url: URL, headers: Headers): Promise<EventStream | undefined> {
  for (let left = tries; left > 0; left -= 1) {
    const stream = new EventStream(url, headers);
    // A proxy that buffers says nothing yet, and an instance that does not know the connection says so.
    await stream.until(() => stream.status !== undefined, longestRejectionMs);
    if (stream.status === undefined || stream.status === 200) return stream;
    stream.close();
  }
  return undefined;
}

const longestRejectionMs = 1_000;

async function shakeHands(url: URL, headers: Headers): Promise<boolean> {
  const options = { method: 'POST', headers, body: handshakeRecord, timeoutMs: patienceMs } as const;
  for (let left = tries; left > 0; left -= 1) {
    const { status } = await sendRequest(url.pathname + url.search, url.origin, options);
    if (status >= 200 && status < 300) return true;
  }
  return false;
}

const mostCharacters = 65_536;

class EventStream {
  text = '';
  status: number | undefined;
  readonly #close: () => void;

  constructor(url: URL, headers: Readonly<Record<string, string>>) {
    const send = url.protocol === 'https:' ? requestSecure : requestPlain;
    const request = send(url, { agent: false, headers: { ...headers, accept: 'text/event-stream' } });
    this.#close = () => request.destroy();
    request.on('error', () => undefined);
    request.on('response', (response) => {
      this.status = response.statusCode ?? 0;
      response.setEncoding('utf8');
      response.on('error', () => undefined);
      response.on('data', (part: string) => {
        this.text = (this.text + part).slice(-mostCharacters);
      });
    });
    request.end();
  }

  async until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!holds() && performance.now() < deadline) await delay(10);
    return holds();
  }

  close(): void {
    this.#close();
  }
}
