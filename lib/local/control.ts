import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerRoute, ControlError, type ControlRoute, respond } from './routes.ts';

/** The topology's remote control: JSON over HTTP, on loopback only, for whoever can read the token. */
export class Control {
  readonly token = randomBytes(24).toString('base64url');
  readonly #routes: readonly ControlRoute[];
  readonly #server: Server;

  constructor(routes: readonly ControlRoute[]) {
    this.#routes = routes;
    this.#server = createServer((request, response) => respond(response, this.#answer(request)));
    // A rolling restart of many instances takes its time.
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

  async #answer(request: IncomingMessage): Promise<unknown> {
    request.resume();
    if (!this.#authorized(request.headers.authorization)) {
      throw new ControlError(401, 'the token is missing or not the one in the topology’s state file');
    }
    return answerRoute(this.#routes, request.method, new URL(request.url ?? '/', 'http://control'));
  }

  #authorized(header = ''): boolean {
    const given = Buffer.from(header);
    const wanted = Buffer.from(`Bearer ${this.token}`);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  }
}
