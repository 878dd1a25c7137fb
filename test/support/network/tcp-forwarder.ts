import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A connection that goes through: what the client has, and what the target has. */
interface Pipe {
  readonly client: Socket;
  readonly target: Socket;
  /** It only grows: bytes that came behind lost ones would be a stream that no network delivers. */
  readonly swallowed: Set<'toTarget' | 'toClient'>;
}

/** Picks connections by the client's port, the port that they have at the target's end, or the target's own. */
export type Which = (ports: {
  readonly clientPort: number;
  readonly localPort: number;
  readonly targetPort: number;
}) => boolean;

/**
 * Stands between clients and targets on this machine, and does what networks do: hangs up, or takes what it
 * is given and passes nothing on.
 *
 * New connections go to the targets in turn; one that nobody listens on is passed over.
 */
export class TcpForwarder {
  readonly port: number;
  readonly #server: Server;
  readonly #targets: () => readonly number[];
  readonly #pipes = new Set<Pipe>();
  #turn = 0;
  #refuses = false;

  private constructor(server: Server, targets: () => readonly number[]) {
    this.#server = server;
    this.#targets = targets;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => void this.#accept(client));
  }

  /**
   * @param targets ports of 127.0.0.1, asked for each new connection
   * @param host where it listens; containers reach `0.0.0.0` alone
   */
  static async open(targets: () => readonly number[], host = '127.0.0.1'): Promise<TcpForwarder> {
    const server = createServer({ noDelay: true }).listen(0, host);
    await once(server, 'listening');
    return new TcpForwarder(server, targets);
  }

  /** Connections that are open. */
  get count(): number {
    return this.#pipes.size;
  }

  /** Hangs up on them. */
  cut(which: Which = () => true): void {
    for (const pipe of this.#chosen(which)) end(pipe);
  }

  /** From now on these connections stay open and carry nothing in one direction; new ones are sound. */
  swallow(direction: 'toTarget' | 'toClient', which: Which = () => true): void {
    for (const pipe of this.#chosen(which)) pipe.swallowed.add(direction);
  }

  /** Hangs up on all, and on whoever comes, until the test says otherwise. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
    if (refuses) this.cut();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.refuse(true);
    await once(this.#server, 'close');
  }

  #chosen(which: Which): Pipe[] {
    return [...this.#pipes].filter(({ client, target }) =>
      which({
        clientPort: client.remotePort as number,
        localPort: target.localPort as number,
        targetPort: target.remotePort as number,
      }),
    );
  }

  async #accept(client: Socket): Promise<void> {
    client.on('error', () => client.destroy());
    const target = this.#refuses ? undefined : await this.#reach();
    if (!target || client.destroyed || this.#refuses) {
      client.destroy();
      target?.destroy();
      return;
    }
    const pipe: Pipe = { client, target, swallowed: new Set() };
    this.#pipes.add(pipe);
    client.on('data', (data) => !pipe.swallowed.has('toTarget') && target.write(data));
    target.on('data', (data) => !pipe.swallowed.has('toClient') && client.write(data));
    for (const side of [client, target]) {
      side.on('error', () => end(pipe));
      side.on('close', () => {
        end(pipe);
        this.#pipes.delete(pipe);
      });
    }
  }

  /** Each target is tried once, from the next in turn. */
  async #reach(): Promise<Socket | undefined> {
    const targets = this.#targets();
    for (let tries = 0; tries < targets.length; tries += 1) {
      this.#turn += 1;
      const socket = await reach(targets[this.#turn % targets.length] as number);
      if (socket) return socket;
    }
    return undefined;
  }
}

function reach(port: number): Promise<Socket | undefined> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('close', () => resolve(undefined));
    socket.on('error', () => socket.destroy());
  });
}

function end({ client, target }: Pipe): void {
  client.destroy();
  target.destroy();
}
