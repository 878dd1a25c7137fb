import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import WebSocket from 'ws';
import type { Target } from './target.ts';

export const signalRHub = '/chathub';
const engine = '/socket.io/?EIO=4&transport=';

/** A WebSocket that speaks Engine.IO or SignalR by hand, so that it can speak it badly. */
export class RawSocket {
  readonly ws: WebSocket;
  readonly frames: string[] = [];

  constructor(
    target: Pick<Target, 'url'>,
    headers: Record<string, string> = {},
    path = `${engine}websocket`,
  ) {
    this.ws = new WebSocket(`${target.url.replace('http', 'ws')}${path}`, {
      headers: { 'x-forwarded-for': '192.0.2.77', ...headers },
      maxPayload: 10_000_000,
    });
    this.ws.on('error', () => undefined);
    this.ws.on('message', (data) => {
      const frame = String(data);
      this.frames.push(frame);
      if (frame === '2') this.ws.send('3');
    });
  }

  /** In the hub, as the one whose token this is. @param namespace as packets begin with it, `` for `/` */
  static async open(target: Pick<Target, 'url'>, token = '', namespace = '/chat,'): Promise<RawSocket> {
    const raw = new RawSocket(target);
    await once(raw.ws, 'open');
    raw.ws.send(`40${namespace}${JSON.stringify({ token })}`);
    await raw.until((frame) => frame.startsWith(`40${namespace}`));
    return raw;
  }

  /** In the same hub, as a client of SignalR. */
  static async openSignalR(target: Pick<Target, 'url'>, token = ''): Promise<RawSocket> {
    const raw = new RawSocket(target, { authorization: `Bearer ${token}` }, signalRHub);
    await once(raw.ws, 'open');
    raw.ws.send('{"protocol":"json","version":1}\x1e');
    await raw.until((frame) => frame.startsWith('{}'));
    return raw;
  }

  send(...frames: (string | Buffer)[]): void {
    for (const frame of frames) if (this.ws.readyState === WebSocket.OPEN) this.ws.send(frame);
  }

  async until(matches: (frame: string) => boolean): Promise<string> {
    for (;;) {
      const found = this.frames.find(matches);
      if (found !== undefined) return found;
      if (this.ws.readyState > WebSocket.OPEN) throw new Error(`closed after: ${this.frames.join(' ')}`);
      const heard = new AbortController();
      const { signal } = heard;
      await Promise.race([once(this.ws, 'message', { signal }), once(this.ws, 'close', { signal })]);
      heard.abort();
    }
  }

  get isOpen(): boolean {
    return this.ws.readyState === WebSocket.OPEN;
  }

  close(): void {
    this.ws.terminate();
  }
}

/** Writes bytes to the service's port. @returns all that comes back until the connection ends, or for so long */
export async function sendBytes(
  target: Target,
  bytes: string | Buffer,
  { forMs = 3_000 } = {},
): Promise<string> {
  const socket = connect(target.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  await connected(socket);
  socket.write(bytes);
  await Promise.race([
    new Promise((resolve) => socket.once('close', resolve)),
    new Promise((resolve) => setTimeout(resolve, forMs).unref()),
  ]);
  socket.destroy();
  return answer;
}

export async function connected(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  await once(socket, 'connect');
}

/** A request by Engine.IO's polling. */
export function poll(
  target: Target,
  query = '',
  {
    headers = {},
    ...init
  }: { method?: string; body?: string | Buffer; headers?: Record<string, string> } = {},
): Promise<Response> {
  return fetch(`${target.url}${engine}polling${query}`, {
    ...init,
    headers: { 'x-forwarded-for': '192.0.2.88', ...headers },
  } as RequestInit);
}

/** @returns the sid of a new polling session */
export async function openPolling(target: Target): Promise<string> {
  const text = await (await poll(target)).text();
  return (JSON.parse(text.slice(1)) as { sid: string }).sid;
}

/** A negotiation of SignalR, as anyone's. */
export function negotiate(
  target: Pick<Target, 'url'>,
  query = '',
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${target.url}${signalRHub}/negotiate${query}`, {
    method: 'POST',
    headers: { 'x-forwarded-for': '192.0.2.88', ...headers },
  });
}
