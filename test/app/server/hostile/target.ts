import { readFileSync } from 'node:fs';
import { io, type Socket } from 'socket.io-client';
import { environmentNames as names } from '../../../../app/names.ts';
import { signToken, type TokenClaims } from '../../../../app/server/auth/hmac.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { startInstance, type TestInstance } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';

export const secret = 'a secret of thirty-two characters';
export const serviceToken = 'a-service-token-of-32-characters!';
/** The room that nobody hostile may hear of, or speak in. */
export const privateRoom = 'private';

/** A service takes some 110 MB here; what attacks may leave behind is bounded. */
const mostMegabytes = 400;

export function tokenOf(claims: Partial<TokenClaims> = {}): string {
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  return signToken({ sub: 'mallory', exp, rooms: ['chat/open*'], ...claims }, secret);
}

/** A service under attack, and honest clients who must notice nothing of it. */
export class Target {
  readonly instances: readonly TestInstance[];
  readonly #redis: TestRedis;
  readonly #sockets: Socket[] = [];
  #speaker!: Socket;
  readonly #heard: unknown[] = [];
  #said = 0;

  private constructor(redis: TestRedis, instances: readonly TestInstance[]) {
    this.#redis = redis;
    this.instances = instances;
  }

  /** @param count instances, which share a Redis */
  static async start(count = 1, environment: NodeJS.ProcessEnv = {}): Promise<Target> {
    const redis = await startRedis();
    const instances = await Promise.all(
      Array.from({ length: count }, (_, n) =>
        startInstance(`target-${n}`, {
          [names.redisUrl]: redis.url,
          [names.authSecret]: secret,
          [names.authIssuer]: 'us',
          [names.authAudience]: 'app',
          [names.serviceToken]: serviceToken,
          // So that each attacker can have an address of its own.
          [names.trustedProxyHops]: '1',
          [names.logLevel]: 'warn',
          ...environment,
        }),
      ),
    );
    const target = new Target(redis, instances);
    await target.#seatHonest();
    return target;
  }

  get url(): string {
    return this.instances[0]?.url as string;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** A client of Socket.IO's own, on the first instance unless told otherwise. */
  connect(claims: Partial<TokenClaims> = {}, url = this.url): Socket {
    return this.connectWith({ token: tokenOf({ iss: 'us', aud: 'app', ...claims }) }, url);
  }

  connectWith(auth: Record<string, unknown>, url = this.url, address = '192.0.2.66'): Socket {
    const socket = io(`${url}/chat`, {
      auth,
      forceNew: true,
      transports: ['websocket'],
      reconnection: false,
      extraHeaders: { 'x-forwarded-for': address },
    });
    this.#sockets.push(socket);
    return socket;
  }

  /** The service lives, in bounds; honest clients publish and hear; the private room heard nobody else. */
  async expectSound(): Promise<void> {
    for (const { process: child, output } of this.instances) {
      expect(child.exitCode).toBeNull();
      expect(child.signalCode).toBeNull();
      expect(output()).not.toMatch(/uncaught|unhandled/i);
      expect(megabytesOf(child.pid as number)).toBeLessThan(mostMegabytes);
    }
    this.#said += 1;
    const said = { honest: this.#said };
    expect(
      await this.#speaker.timeout(60_000).emitWithAck('publish', { room: privateRoom, body: said }),
    ).toMatchObject({
      ok: true,
    });
    await eventually('the honest listener to hear', () => this.#heard.length >= this.#said);
    expect(this.#heard).toEqual(Array.from({ length: this.#said }, (_, n) => ({ honest: n + 1 })));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.disconnect();
    await Promise.all(this.instances.map((instance) => instance.kill('SIGKILL')));
    await this.#redis.stop();
  }

  async #seatHonest(): Promise<void> {
    const honest = { rooms: [`chat/${privateRoom}`] };
    this.#speaker = this.connect({ sub: 'ada', ...honest });
    const listener = this.connect({ sub: 'bob', ...honest }, this.instances.at(-1)?.url);
    listener.on('message', ({ body }) => this.#heard.push(body));
    for (const socket of [this.#speaker, listener]) {
      expect(await socket.timeout(60_000).emitWithAck('join', { room: privateRoom })).toMatchObject({
        ok: true,
      });
    }
  }
}

/** @returns the code with which a handshake is refused; fails where it is let in */
export function refusalOf(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    socket.once('connect', () => reject(new Error('it was let in')));
    socket.once('connect_error', (error) =>
      resolve((error as unknown as { data?: { code: string } }).data?.code),
    );
  });
}

function megabytesOf(pid: number): number {
  try {
    const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
    return (Number(pages) * 4_096) / 1e6;
  } catch {
    // Only Linux tells it so.
    return 0;
  }
}
