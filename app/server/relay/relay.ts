import { randomUUID } from 'node:crypto';
import { Agent, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Redis } from 'ioredis';
import { relayedBy } from '../net/relayed.ts';
import { type Address, Directory } from './directory.ts';
import { seal } from './envelope.ts';
import type { Ending, Exchange } from './exchange.ts';
import { RelayListener } from './listener.ts';
import { LocatedIds } from './located-ids.ts';
import { sendNotice } from './notice.ts';
import { RequestExchange, readBody } from './request-exchange.ts';
import { SigningKeys } from './signing-keys.ts';
import { UpgradeExchange } from './upgrade-exchange.ts';

export interface RelayOptions {
  readonly deployment: string;
  readonly instance: string;
  /** Redis while it is there. */
  readonly redis: (key: string) => Pick<Redis, 'get' | 'set' | 'del'> | undefined;
  /** The server that clients reach: it answers what is relayed to this instance. */
  readonly server: Server;
  /** The address by which other instances reach this machine; undefined while that is not known. */
  readonly host: () => string | undefined;
  /** The other instances, as far as they are known: where they are is learnt before anything goes there. @default none */
  readonly peers?: () => readonly string[];
  /** What the relay's own port listens on. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Bytes of a request's body; what is larger is refused where it comes in. */
  readonly largestBody: number;
}

/**
 * Lets any instance take any request: one whose session lives on another instance is sent on there, and the answer
 * back. So nothing depends on a proxy that brings a client to the same instance each time.
 */
export class Relay {
  readonly ids: LocatedIds;
  /** What other instances of the deployment have signed, they verify. */
  readonly keys: SigningKeys;
  readonly #options: RelayOptions;
  readonly #directory: Directory;
  readonly #listener: RelayListener;
  readonly #agent = new Agent({ keepAlive: true });
  /** What goes to other instances at the moment; an upgraded connection for as long as it lives. */
  readonly #exchanges = new Set<Exchange>();
  #port: number | undefined;
  #isClosed = false;
  requests = 0;
  upgrades = 0;
  unreachable = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.keys = new SigningKeys(options);
    this.ids = new LocatedIds(options.instance, this.keys);
    this.#directory = new Directory({ ...options, own: () => this.#address });
    const { instance, server: target, listen } = options;
    this.#listener = new RelayListener({ instance, keys: this.keys, target, ...listen });
  }

  /** Takes what others send on, and says where. */
  async open(): Promise<void> {
    this.#port = await this.#listener.listen();
    await this.#directory.announce();
  }

  /** Says where this instance is, now: Redis was away, or the address may be another one. It says so by itself, too. */
  async announce(): Promise<void> {
    await this.#directory.announce();
  }

  /** Whether the id claims that another instance holds its session. What that instance sent on is answered here. */
  isElsewhere(id: string, request: IncomingMessage): boolean {
    // A connection that is kept alive may ask still; what is relayed then would hold up the way out.
    if (this.#isClosed) return false;
    const claimed = this.ids.claimedInstance(id);
    return claimed !== undefined && claimed !== this.#options.instance && !relayedBy(request);
  }

  /**
   * @param largestBody bytes. @default as of all requests
   * @returns false when that instance can't be reached, and nothing was answered
   */
  async forward(
    request: IncomingMessage,
    response: ServerResponse,
    instance: string,
    largestBody = this.#options.largestBody,
  ): Promise<boolean> {
    if (this.#isClosed) return false;
    const exchange = new RequestExchange(request, response, this.#agent, this.#endingAt(instance));
    const body = await readBody(request, largestBody);
    if (!body) {
      if (!response.destroyed) response.writeHead(413, { connection: 'close' }).end();
      return true;
    }
    this.#track(exchange, response);
    this.requests += 1;
    return this.#attempt(request, instance, exchange, (address, envelope) =>
      exchange.send(address, body, envelope),
    );
  }

  /** @returns false when that instance can't be reached, and nothing was answered */
  async forwardUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    instance: string,
  ): Promise<boolean> {
    if (this.#isClosed) return false;
    const exchange = new UpgradeExchange(request, socket, head, this.#endingAt(instance));
    this.#track(exchange, socket);
    this.upgrades += 1;
    return this.#attempt(request, instance, exchange, (address, envelope) =>
      exchange.send(address, envelope),
    );
  }

  /** How many requests and connections go to other instances now. */
  get count(): number {
    return this.#exchanges.size;
  }

  [Symbol.iterator](): Iterator<Exchange> {
    return this.#exchanges.values();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#directory.close();
    for (const exchange of [...this.#exchanges]) exchange.close(true);
    this.#agent.destroy();
    await this.#listener.close();
  }

  get #address(): Address | undefined {
    const host = this.#options.host();
    return host === undefined || this.#port === undefined ? undefined : { host, port: this.#port };
  }

  #endingAt(to: string): Ending {
    const exchange = randomUUID();
    return {
      exchange,
      ask: async () => {
        const address = await this.#directory.find(to);
        return (
          address !== undefined &&
          sendNotice({ exchange, from: this.#options.instance, to }, address, this.keys)
        );
      },
    };
  }

  #track(exchange: Exchange, until: ServerResponse | Duplex): void {
    this.#exchanges.add(exchange);
    until.once('close', () => this.#exchanges.delete(exchange));
  }

  /** An instance that was started again under its name has another address. */
  async #attempt(
    request: IncomingMessage,
    instance: string,
    exchange: RequestExchange | UpgradeExchange,
    send: (address: Address, envelope: string) => Promise<boolean>,
  ): Promise<boolean> {
    const { instance: from } = this.#options;
    const client = request.socket.remoteAddress ?? '';
    let address = await this.#directory.find(instance);
    while (address) {
      const envelope = await seal(request, { from, to: instance, address: client }, this.keys);
      if (exchange.isOver || (await send(address, envelope))) return true;
      address = await this.#directory.findAnother(instance, address);
    }
    this.unreachable += 1;
    this.#exchanges.delete(exchange);
    return false;
  }
}
