import { randomUUID } from 'node:crypto';
import type { HubSocket } from '../../app/client/connection/connect.ts';
import { paths } from '../../app/names.ts';

/** A step that takes longer failed, in milliseconds. */
const stepMs = 10_000;

/** As the load balancer in front would send it: an instance warns of clients that come without. */
const forwarded = { 'x-forwarded-for': '127.0.0.1' };

/** Loads the client. It takes a while, which costs nothing as long as the instances boot. */
export function loadClient() {
  return import('../../app/client/connection/connect.ts');
}

/**
 * Publishes to a room at one address and waits for the message at the other; rejects with the step that failed. Its
 * clients use WebSockets alone, since there is no stickiness at an instance's own port.
 */
export async function smokeTest(publishAt: string, receiveAt: string): Promise<void> {
  const { connectHub } = await loadClient();
  const token = await guestToken(publishAt);
  const open = (url: string) =>
    connectHub(url, 'chat', {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      extraHeaders: forwarded,
      ...(token === undefined ? {} : { auth: { token } }),
    });
  const publisher = open(publishAt);
  const receiver = open(receiveAt);
  try {
    await exchange(publisher, publishAt, receiver, receiveAt);
  } finally {
    publisher.disconnect();
    receiver.disconnect();
  }
}

/** @returns undefined where guests are not let in: either no token is needed then, or the connection is rejected */
async function guestToken(url: string): Promise<string | undefined> {
  const response = await fetch(new URL(paths.session, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...forwarded },
    body: '{"name":"smoke test"}',
    signal: AbortSignal.timeout(stepMs),
  });
  if (!response.ok) {
    await response.body?.cancel();
    return undefined;
  }
  return ((await response.json()) as { token: string }).token;
}

async function exchange(
  publisher: HubSocket,
  publishAt: string,
  receiver: HubSocket,
  receiveAt: string,
): Promise<void> {
  const room = `start-${randomUUID()}`;
  const join = async (socket: HubSocket, url: string) => {
    await connected(socket, url);
    await acknowledged(`"join" at ${url}`, (done) => socket.emit('join', { room }, done));
  };
  await Promise.all([join(publisher, publishAt), join(receiver, receiveAt)]);
  const arrived = new Promise<void>((resolve) => {
    receiver.on('message', (message) => message.room === room && resolve());
  });
  const body = 'smoke test';
  await acknowledged(`"publish" at ${publishAt}`, (done) => publisher.emit('publish', { room, body }, done));
  await inTime(arrived, `a message published at ${publishAt} did not arrive at ${receiveAt}`);
}

function connected(socket: HubSocket, url: string): Promise<void> {
  const connection = new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve());
    socket.once('connect_error', (error) => reject(new Error(`${url}: ${error.message}`)));
  });
  return inTime(connection, `${url} did not accept a connection to /chat`);
}

interface Reply {
  readonly ok: boolean;
}

async function acknowledged(what: string, send: (done: (reply: Reply) => void) => void): Promise<void> {
  const reply = await inTime(new Promise<Reply>(send), `${what} was not acknowledged`);
  if (!reply.ok) throw new Error(`${what} was rejected: ${JSON.stringify(reply)}`);
}

function inTime<Value>(promise: Promise<Value>, failure: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${failure} within ${stepMs / 1000} s`)), stepMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
