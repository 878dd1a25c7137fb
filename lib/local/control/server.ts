import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Lets other programs control the topology: JSON over HTTP, on loopback only, for whoever can read the token. */
export class ControlServer {
  readonly token = randomBytes(24).toString('base64url');
  readonly #routes: readonly ControlRoute[];
  readonly #server: Server;

  constructor(routes: readonly ControlRoute[]) {
    this.#routes = routes;
    this.#server = createServer((request, response) => respond(response, this.#handle(request)));
    // A rolling restart of many instances takes minutes.
    this.#server.requestTimeout = 0;
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

  async #handle(request: IncomingMessage): Promise<unknown> {
    request.resume();
    if (!this.#authorized(request.headers.authorization)) {
      throw new ControlError(401, 'the token is missing or not the one in the topology’s state file');
    }
    return runRoute(this.#routes, request.method, new URL(request.url ?? '/', 'http://control'));
  }

  #authorized(header = ''): boolean {
    const given = Buffer.from(header);
    const wanted = Buffer.from(`Bearer ${this.token}`);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }
}

/** A request that can't be met; the message goes to whoever made it. */
export class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface ControlRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Matches the whole path; its groups are the arguments of `run`. */
  readonly path: RegExp;
  readonly run: (groups: readonly string[], query: URLSearchParams) => unknown;
}

/** @throws ControlError when there is no such route, or the request can't be met */
export async function runRoute(
  routes: readonly ControlRoute[],
  method: string | undefined,
  url: URL,
): Promise<unknown> {
  for (const { method: each, path, run } of routes) {
    const match = path.exec(url.pathname);
    if (match && each === method) return run(match.slice(1).map(decoded), url.searchParams);
  }
  throw new ControlError(404, `no such route: ${method} ${url.pathname}`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ControlError(400, `"${part}" is no encoded text`);
  }
}

/** Sends the outcome, or the error, as JSON. */
export function respond(response: ServerResponse, outcome: Promise<unknown>): void {
  outcome
    .then((body) => ({ status: 200, body: body ?? {} }))
    .catch((error: Error) => ({
      status: error instanceof ControlError ? error.status : 500,
      body: { error: error.message },
    }))
    .then(({ status, body }) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        // A connection that is kept may end just when the next command is on its way.
        connection: 'close',
      });
      response.end(JSON.stringify(body));
    });
}
