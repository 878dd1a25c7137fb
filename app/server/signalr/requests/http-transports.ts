import type { IncomingMessage, ServerResponse } from 'node:http';
import { onEntryLeaving } from '../../net/relayed.ts';
import { readBody } from '../../relay/request-exchange.ts';
import type { ServedConnection } from '../connection/connection.ts';
import { type ConnectionClaims, hashOfSubject, isFresh } from '../connection/connection-token.ts';
import type { Newcomer, Session, Sessions } from '../connection/sessions.ts';
import { isHandshake } from '../protocol/handshake.ts';
import { type LongPollingTimes, LongPollingTransport, longPollingTimes } from '../transports/long-polling.ts';
import { ServerSentEventsTransport } from '../transports/server-sent-events.ts';
import type { Newcomers } from './newcomers.ts';
import { type ErrorReply, gone, refuse, refuseLargeBody, respond, unknownConnection } from './replies.ts';
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
      if (!session) return this.#begin(request, newcomers.newcomer(asked, claims, known), response);
    }
    if (!session) return gone(request, response);
    await this.#continue(request, session, response);
  }

  /** A session of which this instance does not know: its first request. */
  async #begin(request: IncomingMessage, newcomer: Newcomer, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') return this.#open(request, newcomer, response);
    if (request.method !== 'POST') return gone(request, response);
    const { sessions, largestBody } = this.#options;
    const body = await readBody(request, largestBody);
    if (!body) return refuseLargeBody(response);
    // A client in Python polls behind its handshake. What begins otherwise is of a session that has ended.
    if (!isHandshake(body)) return gone(request, response);
    const refusal = this.#refusalOf(request, newcomer);
    if (refusal) return refuse(response, refusal);
    const { connection } = this.#openPolling(newcomer);
    respond(response, 200);
    sessions.received(connection, body);
  }

  #open(request: IncomingMessage, newcomer: Newcomer, response: ServerResponse): void {
    const refusal = this.#refusalOf(request, newcomer);
    if (refusal === unknownConnection) return void gone(request, response);
    if (refusal) return void refuse(response, refusal);
    if (wantsEventStream(request)) {
      const { connection } = this.#options.sessions.open(newcomer, new ServerSentEventsTransport(response));
      response.once('close', () => connection.transportClosed());
      onEntryLeaving(request, () => connection.close());
      return;
    }
    this.#openPolling(newcomer).transport.poll(request, response);
  }

  #openPolling(newcomer: Newcomer): { connection: ServedConnection; transport: LongPollingTransport } {
    const transport = new LongPollingTransport(() => connection.terminate('ping timeout'), {
      ...longPollingTimes,
      ...this.#options.longPolling,
    });
    const { connection } = this.#options.sessions.open(newcomer, transport);
    return { connection, transport };
  }

  /** Why a session is not opened. A newcomer that is not refused is admitted, and must be opened. */
  #refusalOf(request: IncomingMessage, newcomer: Newcomer): ErrorReply | undefined {
    const { newcomers } = this.#options;
    if (!isFresh(newcomer.claims) || !newcomers.areTaken) return unknownConnection;
    return newcomers.refuse(request) ?? newcomers.admit(newcomer);
  }

  async #continue(
    request: IncomingMessage,
    { connection, transport }: Session,
    response: ServerResponse,
  ): Promise<void> {
    switch (request.method) {
      case 'GET':
        if (transport instanceof LongPollingTransport) return transport.poll(request, response);
        return respond(response, wantsEventStream(request) && transport.name === 'sse' ? 409 : 400);
      case 'POST': {
        if (transport.name === 'websocket') return respond(response, 405);
        const body = await readBody(request, this.#options.largestBody);
        if (!body) return refuseLargeBody(response);
        // The client waits for this answer before it sends more, whatever its messages bring about.
        respond(response, 200);
        return this.#options.sessions.received(connection, body);
      }
      case 'DELETE':
        if (!(transport instanceof LongPollingTransport)) return respond(response, 400);
        respond(response, 202);
        connection.transportClosed();
        return transport.destroy();
      default:
        respond(response, 405);
    }
  }
}
