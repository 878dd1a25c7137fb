import { answerParent } from '../answer-parent.ts';
import { ageMicroseconds, makeBody } from './body.ts';
import { type DialectName, dialects } from './dialects.ts';
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

/** So many handshakes at once: enough to keep a server busy, few enough not to fill its backlog. */
const handshakesUnderWay = 32;

/** A process full of clients. */
const clients: { readonly client: RawClient; readonly room: string | undefined }[] = [];
let latencies: number[] = [];
let published = 0;

answerParent({
  connect: ({ dialect, seats }: ConnectRequest) =>
    inParallel(seats, async ({ port, room }) => {
      const client = await RawClient.connect(port, dialects[dialect], received);
      if (room !== undefined) await client.join(room);
      clients.push({ client, room });
    }),
  join: (roomOfTen: string) =>
    inParallel([...clients.keys()], (index) =>
      (clients[index] as { client: RawClient }).client.join(`${roomOfTen}${Math.floor(index / 10)}`),
    ),
  publish: ({ perSecond, forMs }: PublishRequest) => pace(perSecond, forMs, publishNext),
  collect: (): Deliveries => {
    const collected = { latencies: Float64Array.from(latencies) };
    latencies = [];
    return collected;
  },
});

function received(text: string): void {
  latencies.push(ageMicroseconds(text));
}

/** Members take turns: so do the rooms, and the instances. */
function publishNext(): void {
  const { client, room } = clients[published % clients.length] as (typeof clients)[number];
  published += 1;
  client.publish(room as string, makeBody(), `${process.pid}-${published}`);
}

async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await act(item);
  };
  await Promise.all(Array.from({ length: handshakesUnderWay }, worker));
}
