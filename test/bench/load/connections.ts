import { answerParent } from '../answer-parent.ts';
import { agesMicroseconds, makeBody } from './body.ts';
import { type DialectName, dialectOf } from './dialects.ts';
import { pace } from './pacer.ts';
import { RawClient } from './raw-client.ts';

/** Who connects where. */
export interface ConnectRequest {
  readonly dialect: DialectName;
  readonly seats: readonly Seat[];
}

export interface Seat {
  readonly port: number;
  /** None: it stays idle. */
  readonly room?: string;
}

export interface PublishRequest {
  readonly perSecond: number;
  readonly forMs: number;
}

export interface Deliveries {
  /** One for each delivery, microseconds. */
  readonly latencies: Float64Array;
}

interface SeatedClient {
  readonly name: number;
  readonly dialect: DialectName;
  readonly room: string | undefined;
  connection: RawClient;
  /** What its last join was answered. */
  joined: string | undefined;
  isConnected: boolean;
}

/** So many handshakes at once: enough to keep a server busy, few enough not to fill its backlog. */
const handshakesUnderWay = 32;

/** A process full of clients. */
const clients: SeatedClient[] = [];
let names = 0;
let latencies: number[] = [];
let published = 0;

answerParent({
  connect: ({ dialect, seats }: ConnectRequest) =>
    inParallel(seats, async ({ port, room }) => {
      names += 1;
      const client = { name: names, dialect, room, joined: undefined, isConnected: true };
      const seated: SeatedClient = Object.assign(client, { connection: await connect(client, port) });
      clients.push(seated);
      await rejoin(seated);
    }),
  join: (roomOfTen: string) =>
    inParallel([...clients.keys()], async (index) => {
      await clients[index]?.connection.join(`${roomOfTen}${Math.floor(index / 10)}`);
    }),
  comeBack: (ports: readonly number[]) =>
    inParallel(
      clients.filter(({ isConnected }) => !isConnected),
      async (client) => {
        client.isConnected = true;
        client.connection = await connect(client, ports[client.name % ports.length] as number);
        await rejoin(client);
      },
    ),
  connected: () => clients.filter(({ isConnected }) => isConnected).length,
  end: () => {
    for (const { connection } of clients.splice(0)) connection.end();
  },
  publish: ({ perSecond, forMs }: PublishRequest) => pace(perSecond, forMs, publishNext),
  collect: (): Deliveries => {
    const collected = { latencies: Float64Array.from(latencies) };
    latencies = [];
    return collected;
  },
});

function connect(client: Pick<SeatedClient, 'name' | 'dialect' | 'isConnected'>, port: number) {
  const { name, dialect } = client;
  return RawClient.connect({
    port,
    dialect: dialectOf(dialect, `user-${process.pid}-${name}`),
    // Of networks that are nobody's.
    address: `10.${process.pid % 256}.${(name >> 8) % 256}.${name % 256}`,
    onMessages: received,
    onClosed: () => {
      client.isConnected = false;
    },
  });
}

async function rejoin(client: SeatedClient): Promise<void> {
  const { connection, room, joined } = client;
  if (room !== undefined) client.joined = await connection.join(room, joined);
}

function received(text: string, count: number): void {
  latencies.push(...agesMicroseconds(text, count));
}

/** Members take turns: so do the rooms, and the instances. */
function publishNext(): void {
  const { connection, room } = clients[published % clients.length] as SeatedClient;
  published += 1;
  connection.publish(room as string, makeBody(), `${process.pid}-${published}`);
}

async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await act(item);
  };
  await Promise.all(Array.from({ length: handshakesUnderWay }, worker));
}
