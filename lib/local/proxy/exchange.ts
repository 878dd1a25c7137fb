import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorStatus, errorPage, rawErrorResponse } from './error-page.ts';
import type { Connection, Target } from './targets.ts';

/** One request on its way through the load balancer, or one connection that asked to be upgraded. */
export interface Exchange extends Connection {
  readonly target: Target;
  /** The request to the target, once there is one. */
  upstream?: ClientRequest;
  /** Answers in the target's place, or breaks off if the target's answer has begun. */
  fail(status: ErrorStatus): void;
  /** Nothing moved for the idle timeout. */
  idle(): void;
}

export class RequestExchange implements Exchange {
  readonly target: Target;
  upstream?: ClientRequest;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(target: Target, request: IncomingMessage, response: ServerResponse) {
    this.target = target;
    this.#request = request;
    this.#response = response;
  }

  fail(status: ErrorStatus): void {
    if (this.#response.headersSent) {
      if (!this.#response.writableEnded) this.#response.destroy();
      return;
    }
    answerWith(status, this.#request, this.#response);
  }

  idle(): void {
    if (this.#response.headersSent) {
      this.cut();
      return;
    }
    this.fail(this.#request.complete ? 504 : 408);
    this.upstream?.destroy();
  }

  cut(): void {
    this.upstream?.destroy();
    this.#response.destroy();
    this.#request.socket.destroy();
  }
}

export class UpgradeExchange implements Exchange {
  readonly target: Target;
  upstream?: ClientRequest;
  readonly #client: Socket;
  #tunnel?: Socket;
  #answered = false;

  constructor(target: Target, client: Socket) {
    this.target = target;
    this.#client = client;
    // A pipe alone passes on an orderly end only; here each side's close, however it came, is the other's.
    client.once('close', () => {
      this.upstream?.destroy();
      this.#tunnel?.destroy();
    });
    client.on('error', () => client.destroy());
  }

  /** The target agreed: from here on two sockets are joined. */
  open(tunnel: Socket): void {
    this.#answered = true;
    this.#tunnel = tunnel;
    tunnel.once('close', () => this.#client.destroySoon());
    if (this.#client.destroyed) tunnel.destroy();
  }

  /** The target refused with a response of its own, which is on its way to the client. */
  refused(): void {
    this.#answered = true;
  }

  fail(status: ErrorStatus): void {
    if (this.#answered) {
      if (this.#tunnel) this.#client.destroySoon();
      return;
    }
    this.#answered = true;
    answerUpgradeWith(status, this.#client);
  }

  idle(): void {
    if (this.#answered) {
      this.cut();
      return;
    }
    this.fail(504);
    this.upstream?.destroy();
  }

  cut(): void {
    this.upstream?.destroy();
    this.#tunnel?.destroy();
    this.#client.destroy();
  }
}

/** Answers a request in a target's place. */
export function answerWith(status: ErrorStatus, request: IncomingMessage, response: ServerResponse): void {
  const body = errorPage(status);
  response.writeHead(status, {
    'content-type': 'text/html',
    'content-length': Buffer.byteLength(body),
    // What is left of the request's body would be read as the next request.
    ...(request.complete ? {} : { connection: 'close' }),
  });
  response.end(body);
  request.unpipe();
  request.resume();
}

/** Answers a request for an upgrade in a target's place. */
export function answerUpgradeWith(status: ErrorStatus, client: Socket): void {
  client.on('error', () => client.destroy());
  if (client.writable) client.write(rawErrorResponse(status));
  client.destroySoon();
}
