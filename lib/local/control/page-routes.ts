import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerRoute, ControlError, type ControlRoute, respond } from './server.ts';

const prefix = '/local';

/** The values of `Sec-Fetch-Site`, where a browser sends one, for this page and for the address bar. */
const ownSites: readonly (string | undefined)[] = [undefined, 'same-origin', 'none'];

/**
 * Lets the page that the load balancer serves control the topology, under `/local/`. The page has no token to show.
 * Instead a request must name this machine as its host (a foreign name that leads here is DNS rebinding) and must not
 * come from another site's page.
 */
export class PageRoutes {
  readonly #routes: readonly ControlRoute[];
  readonly #port: () => number;

  /** @param port the load balancer's */
  constructor(routes: readonly ControlRoute[], port: () => number) {
    this.#routes = routes;
    this.#port = port;
  }

  /** @returns whether the request was for one of these routes */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    if (!request.url?.startsWith(`${prefix}/`)) return false;
    request.resume();
    respond(response, this.#answer(request));
    return true;
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    this.#authorize(request);
    const url = new URL(request.url?.slice(prefix.length) ?? '/', 'http://control');
    return answerRoute(this.#routes, request.method, url);
  }

  /** @throws ControlError when the request is not from this machine's own page */
  #authorize({ headers, socket }: IncomingMessage): void {
    const { host = '', origin, 'sec-fetch-site': site } = headers;
    const port = this.#port();
    const hosts = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`];
    if (!isLoopback(socket.remoteAddress)) throw new ControlError(403, 'this machine alone may do that');
    if (!hosts.includes(host.toLowerCase())) {
      throw new ControlError(403, `the host must be one of ${hosts.join(', ')}`);
    }
    const isOwn = origin === undefined || origin === `http://${host.toLowerCase()}`;
    if (!isOwn || !ownSites.includes(site as string | undefined)) {
      throw new ControlError(403, 'pages of other origins may not do that');
    }
  }
}

function isLoopback(address = ''): boolean {
  return /^(::ffff:)?127\./.test(address) || address === '::1';
}
