import { WebSocket } from 'ws';

/** A WebSocket that was opened, and what came by it. */
export class ProbeSocket {
  readonly received: string[] = [];
  /** When something moved last, as of `performance.now()`. */
  movedAt = performance.now();
  /** Undefined while it is open. 1006: nobody said that it ends. */
  closeCode: number | undefined;
  /** When it ended. */
  closedAt: number | undefined;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      this.movedAt = performance.now();
      this.received.push(String(data));
    });
    socket.on('close', (code) => {
      this.closedAt = performance.now();
      this.closeCode = code;
    });
    socket.on('error', () => undefined);
  }

  send(text: string): void {
    this.movedAt = performance.now();
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  close(): void {
    this.#socket.terminate();
  }

  /** The first text that begins or ends so; undefined if none comes in time. */
  async next(matches: (text: string) => boolean, timeoutMs: number): Promise<string | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.received.find(matches);
      if (found !== undefined || this.closeCode !== undefined || performance.now() > deadline) return found;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Why a WebSocket was not opened. */
export interface Refusal {
  /** HTTP status; 0: no response. */
  readonly status: number;
  readonly httpVersion: string;
  readonly words: string;
}

export type Opened = { readonly socket: ProbeSocket } | { readonly refusal: Refusal };

const mostCharacters = 200;

/** Opens a WebSocket to any port. Redirects are not followed, as browsers follow none. */
export function openWebSocket(
  url: string,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<Opened> {
  const address = new URL(url);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  return new Promise((resolve) => {
    const socket = new WebSocket(address, { headers, handshakeTimeout: timeoutMs, perMessageDeflate: false });
    const probe = new ProbeSocket(socket);
    const refuse = (refusal: Refusal) => resolve({ refusal });
    socket.on('open', () => resolve({ socket: probe }));
    socket.on('unexpected-response', (request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
        if (body.length >= mostCharacters) request.destroy();
      });
      response.on('close', () => {
        const { statusCode = 0, httpVersion } = response;
        const words = `HTTP ${statusCode} ${body.slice(0, mostCharacters)}`.trim();
        refuse({ status: statusCode, httpVersion, words });
      });
    });
    socket.on('error', ({ message }) => refuse({ status: 0, httpVersion: '1.1', words: message }));
  });
}
