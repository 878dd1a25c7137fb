import { type ClientRequest, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Connection, Target } from './targets.ts';

/** The statuses of the load balancer's own answers; all others come from a target. */
export type ErrorStatus = 400 | 408 | 502 | 503 | 504;

/** One request through the load balancer, or one connection that asked for an upgrade. */
export interface Exchange extends Connection {
  readonly target: Target;
  /** The request to the target, once there is one. */
  upstream?: ClientRequest;
  /** Answers in the target's place, or breaks the answer off if it has begun. */
  fail(status: ErrorStatus): void;
  /** Ends it, since nothing moved for the idle timeout. */
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
    respondWith(status, this.#request, this.#response);
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
    // A pipe passes on an orderly end only; here each side's close, for whatever cause, closes the other side.
    client.once('close', () => {
      this.upstream?.destroy();
      this.#tunnel?.destroy();
    });
    client.on('error', () => client.destroy());
  }

  /** The target agreed to the upgrade: two sockets are joined from now on. */
  open(tunnel: Socket): void {
    this.#answered = true;
    this.#tunnel = tunnel;
    tunnel.once('close', () => this.#client.destroySoon());
    if (this.#client.destroyed) tunnel.destroy();
  }

  /** The target rejected the upgrade with a response, which is on its way to the client. */
  rejected(): void {
    this.#answered = true;
  }

  fail(status: ErrorStatus): void {
    if (this.#answered) {
      if (this.#tunnel) this.#client.destroySoon();
      return;
    }
    this.#answered = true;
    respondToUpgradeWith(status, this.#client);
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
export function respondWith(status: ErrorStatus, request: IncomingMessage, response: ServerResponse): void {
  const body = errorPage(status);
  response.writeHead(status, {
    'content-type': 'text/html',
    'content-length': Buffer.byteLength(body),
    // The rest of the request's body would be read as the next request.
    ...(request.complete ? {} : { connection: 'close' }),
  });
  response.end(body);
  request.unpipe();
  request.resume();
}

/** Answers a request for an upgrade in a target's place. */
export function respondToUpgradeWith(status: ErrorStatus, client: Socket): void {
  client.on('error', () => client.destroy());
  if (client.writable) client.write(rawErrorResponse(status));
  client.destroySoon();
}

/** The small HTML page of an ALB. */
function errorPage(status: ErrorStatus): string {
  const title = `${status} ${STATUS_CODES[status]}`;
  return `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n</body>\r\n</html>\r\n`;
}

/** The page as a complete HTTP response, for a socket that asked for an upgrade. */
function rawErrorResponse(status: ErrorStatus): string {
  const body = errorPage(status);
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: text/html',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
