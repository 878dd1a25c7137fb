import { type Cookie, keptOnOwnSite } from '../../verify/checks/connecting/cookie-sessions.ts';
import type { Opened } from './probe-socket.ts';
import { openEngineSocket, trySession as tryPolling } from './protocols/engine-io.ts';
import { cookieHeader, type Sessions, trySessions } from './protocols/session.ts';
import { openHubSocket, trySession as tryNegotiation } from './protocols/signalr.ts';
import type { Endpoint, Subject } from './subject.ts';

/** What several checks look at. Each is made once. */
export class Probes {
  readonly #subject: Subject;
  readonly #made = new Map<string, Promise<unknown>>();

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** Sessions whose requests carry the cookies that a page of the server's own site sends. @throws RefusedError */
  sessions(endpoint: Endpoint): Promise<Sessions> {
    const isHttps = this.#subject.url.startsWith('https:');
    return this.#try(endpoint, 'with cookies', (cookies) => keptOnOwnSite(cookies, isHttps));
  }

  /** The same without any cookie. @throws RefusedError */
  sessionsWithoutCookies(endpoint: Endpoint): Promise<Sessions> {
    return this.#try(endpoint, 'without cookies', () => []);
  }

  /** A WebSocket that belongs to no session. It is closed again. */
  webSocket({ protocol, path }: Endpoint): Promise<Opened> {
    return this.#once(`websocket ${path}`, async () => {
      const open = protocol === 'socketio' ? openEngineSocket : openHubSocket;
      const opened = await open(this.#subject, path);
      if ('socket' in opened) opened.socket.close();
      return opened;
    });
  }

  async webSocketWorks(endpoint: Endpoint): Promise<boolean> {
    return 'socket' in (await this.webSocket(endpoint));
  }

  /** How many instances answer, by how often a request reaches the one that it belongs to; 1 if all do. */
  async instances(endpoint: Endpoint): Promise<number> {
    const { requests, astray } = await this.sessionsWithoutCookies(endpoint);
    return astray === requests ? 2 : Math.round(requests / (requests - astray));
  }

  #try(endpoint: Endpoint, how: string, keep: (cookies: readonly Cookie[]) => readonly Cookie[]) {
    const headersOf = (cookies: readonly Cookie[]) => cookieHeader(keep(cookies));
    const trySession = endpoint.protocol === 'socketio' ? tryPolling : tryNegotiation;
    return this.#once(`${how} ${endpoint.path}`, () =>
      trySessions(() => trySession(this.#subject, endpoint.path, { headersOf })),
    );
  }

  #once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const made = this.#made.get(key) ?? make();
    this.#made.set(key, made);
    return made as Promise<T>;
  }
}
