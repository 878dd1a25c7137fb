import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody } from '../../relay/request-exchange.ts';
import { type ConnectionClaims, hashOfSubject, isFresh } from '../connection/connection-token.ts';
import type { Newcomer, Session, Sessions } from '../connection/sessions.ts';
import { type LongPollingTimes, LongPollingTransport, longPollingTimes } from '../transports/long-polling.ts';
import { ServerSentEventsTransport } from '../transports/server-sent-events.ts';
import type { Newcomers } from './newcomers.ts';
import { answer, gone, refuse } from './replies.ts';
import { type HubRequest, tokenOf, wantsEventStream } from './request.ts';

export interface HttpTransportsOptions {
  readonly sessions: Sessions;
  readonly newcomers: Newcomers;
  /** Bytes of one request. */
  readonly largestBody: number;
  readonly longPolling: Partial<LongPollingTimes> | undefined;
}

/** Serves connections over plain requests: Server-Sent Events, polls, and what their clients post. */
export class HttpTransports {
  readonly #options: HttpTransportsOptions;

  constructor(options: HttpTransportsOptions) {
    this.#options = options;
  }

  async serve(asked: HubRequest, claims: ConnectionClaims, response: ServerResponse): Promise<void> {
    const { request } = asked;
    const { sessions, newcomers } = this.#options;
    const session = sessions.find(claims);
    const isPolling = session?.transport instanceof LongPollingTransport;
    const reads = request.method === 'GET' || request.method === 'DELETE';
    // A client in Python polls without its token: in a session that lives, the id is proof enough.
    if (!(isPolling && reads && tokenOf(asked) === undefined)) {
      const identity = await newcomers.authenticate(asked, claims.connectionId);
      if ('status' in identity) return refuse(response, identity);
      const { known } = identity;
      if (hashOfSubject(known?.subject) !== claims.subjectHash) return gone(request, response);
      if (!session && request.method === 'GET') {
        return this.#open(request, newcomers.newcomer(asked, claims, known), response);
      }
    }
    if (!session) return gone(request, response);
    await this.#continue(request, session, response);
  }

  #open(request: IncomingMessage, newcomer: Newcomer, response: ServerResponse): void {
    const { sessions, newcomers, longPolling } = this.#options;
    if (!isFresh(newcomer.claims) || !newcomers.areTaken) return void gone(request, response);
    const refusal = newcomers.refuse(request) ?? newcomers.admit(newcomer);
    if (refusal) return void refuse(response, refusal);
    if (wantsEventStream(request)) {
      const { connection } = sessions.open(newcomer, new ServerSentEventsTransport(response));
      response.once('close', () => connection.transportClosed());
      return;
    }
    const transport = new LongPollingTransport(() => connection.terminate('ping timeout'), {
      ...longPollingTimes,
      ...longPolling,
    });
    const { connection } = sessions.open(newcomer, transport);
    transport.poll(request, response);
  }

  async #continue(
    request: IncomingMessage,
    { connection, transport }: Session,
    response: ServerResponse,
  ): Promise<void> {
    switch (request.method) {
      case 'GET':
        if (transport instanceof LongPollingTransport) return transport.poll(request, response);
        return answer(response, wantsEventStream(request) && transport.name === 'sse' ? 409 : 400);
      case 'POST': {
        if (transport.name === 'websocket') return answer(response, 405);
        const body = await readBody(request, this.#options.largestBody);
        if (!body) return void response.writeHead(413, { connection: 'close' }).end();
        // The client waits for this answer before it sends more, whatever its messages bring about.
        answer(response, 200);
        return this.#options.sessions.received(connection, body);
      }
      case 'DELETE':
        if (!(transport instanceof LongPollingTransport)) return answer(response, 400);
        answer(response, 202);
        connection.transportClosed();
        return transport.destroy();
      default:
        answer(response, 405);
    }
  }
}
