import { Redis } from 'ioredis';
import { io, type Socket } from 'socket.io-client';
import { environmentNames as names } from '../../../../app/names.ts';
import { startRedis, type TestRedis } from '../../../support/redis/redis.ts';
import { startInstance, type TestInstance, untilLogged } from '../../../support/servers/service.ts';

export type Heard = [event: string, ...args: unknown[]][];

interface JoinReply {
  readonly messages: readonly { readonly body: unknown }[];
}

export interface PlainClient {
  readonly socket: Socket;
  readonly heard: Heard;
  /** What a room's log has. */
  bodiesIn(room: string): Promise<unknown[]>;
}

/** Instances of the built service with bridges, on one Redis, and plain clients of theirs. */
export class BridgedService {
  readonly redis: TestRedis;
  readonly instances: readonly TestInstance[];
  /** Lets a test say what another program would. */
  readonly admin: Redis;
  readonly #sockets: Socket[] = [];

  private constructor(redis: TestRedis, instances: readonly TestInstance[]) {
    this.redis = redis;
    this.instances = instances;
    this.admin = new Redis({ port: redis.port });
  }

  /** Resolves when all bridges hear their channels. */
  static async start(environment: NodeJS.ProcessEnv, count = 2): Promise<BridgedService> {
    const redis = await startRedis();
    const instances = await Promise.all(
      Array.from({ length: count }, (_, n) =>
        startInstance(`bridged-${n}`, {
          [names.redisUrl]: redis.url,
          [names.mainHub]: 'true',
          [names.serviceToken]: serviceToken,
          ...environment,
        }),
      ),
    );
    await Promise.all(instances.map((instance) => untilLogged(instance, 'the bridge hears its channels')));
    return new BridgedService(redis, instances);
  }

  /** A client of Socket.IO's own, and what it hears beside `welcome` and `presence`. @param namespace such as `/bots` */
  connect(number = 0, namespace = '/'): PlainClient {
    const url = (this.instances[number] as TestInstance).url;
    const socket = io(url + namespace, { forceNew: true, transports: ['websocket'] });
    this.#sockets.push(socket);
    const heard: Heard = [];
    socket.onAny((event, ...args) => {
      if (event !== 'welcome' && event !== 'presence') heard.push([event, ...args]);
    });
    const bodiesIn = async (room: string) => {
      const { epoch } = (await socket.emitWithAck('join', { room })) as { epoch: string };
      const since = { epoch, offset: 0 };
      const { messages } = (await socket.emitWithAck('join', { room, since })) as JoinReply;
      return messages.map(({ body }) => body);
    };
    return { socket, heard, bodiesIn };
  }

  /** The same, in a room. */
  async connectTo(room: string, number = 0, namespace = '/'): Promise<PlainClient> {
    const client = this.connect(number, namespace);
    expect(await client.socket.emitWithAck('join', { room })).toMatchObject({ ok: true });
    return client;
  }

  /** What a backend publishes over HTTP. */
  async publish(hub: string, room: string, body: unknown): Promise<void> {
    const path = `/api/hubs/${hub}/rooms/${room}/messages`;
    const response = await fetch((this.instances[0] as TestInstance).url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ body }),
    });
    expect(response.status).toBe(201);
  }

  output(): string {
    return this.instances.map((instance) => instance.output()).join('\n');
  }

  leave(): void {
    for (const socket of this.#sockets.splice(0)) socket.disconnect();
  }

  async stop(): Promise<void> {
    this.leave();
    this.admin.disconnect();
    await Promise.all(this.instances.map((instance) => instance.kill('SIGKILL')));
    await this.redis.stop();
  }
}

const serviceToken = 'a-service-token-of-32-characters!';
