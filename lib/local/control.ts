import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that can't be met; the message goes to who asked. */
export class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface ControlRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Matched against the whole path; its groups are the answer's arguments. */
  readonly path: RegExp;
  readonly answer: (groups: readonly string[], query: URLSearchParams) => unknown;
}

/** The topology's remote control: JSON over HTTP, on loopback only, for whoever can read the token. */
export class Control {
  readonly token = randomBytes(24).toString('base64url');
  readonly #routes: readonly ControlRoute[];
  readonly #server: Server;

  constructor(routes: readonly ControlRoute[]) {
    this.#routes = routes;
    this.#server = createServer((request, response) => {
      this.#answer(request)
        .then((body) => ({ status: 200, body }))
        .catch((error: Error) => ({
          status: error instanceof ControlError ? error.status : 500,
          body: { error: error.message },
        }))
        .then(({ status, body }) => {
          response.writeHead(status, { 'content-type': 'application/json' });
          response.end(JSON.stringify(body));
        });
    });
  }

  /** Listens on a free port and returns the address. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    request.resume();
    if (!this.#authorized(request.headers.authorization)) {
      throw new ControlError(401, 'the token is missing or not the one in the topology’s state file');
    }
    const url = new URL(request.url ?? '/', 'http://control');
    for (const { method, path, answer } of this.#routes) {
      const match = path.exec(url.pathname);
      if (match && method === request.method) return answer(match.slice(1), url.searchParams);
    }
    throw new ControlError(404, `no such route: ${request.method} ${url.pathname}`);
  }

  #authorized(header = ''): boolean {
    const given = Buffer.from(header);
    const wanted = Buffer.from(`Bearer ${this.token}`);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }
}
