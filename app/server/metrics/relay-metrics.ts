import type { Registry } from 'prom-client';
import type { Relay } from '../relay/relay.ts';
import { counterOf, gaugeOf, one } from './families.ts';

/** What goes by this instance to sessions of others: it ends with this instance, too. */
export class RelayMetrics {
  /** Absent in single-instance mode. */
  #relay: Relay | undefined;

  constructor(registry: Registry) {
    gaugeOf(
      registry,
      {
        name: 'realtime_relayed',
        help: 'Requests and connections that this instance relays to the instances of their sessions now. A rise of connection: more clients than its own are cut with this instance',
        labels: ['kind'],
      },
      () => {
        const counts = { request: 0, connection: 0 };
        for (const { kind } of this.#relay ?? []) counts[kind] += 1;
        return Object.entries(counts).map(([kind, count]) => [{ kind }, count] as const);
      },
    );
    counterOf(
      registry,
      {
        name: 'realtime_relayed_total',
        help: "Requests and connections relayed. A rise: the proxy's stickiness does not hold, or clients keep no cookies",
        labels: ['kind'],
      },
      () => [
        [{ kind: 'request' }, this.#relay?.requests ?? 0],
        [{ kind: 'connection' }, this.#relay?.upgrades ?? 0],
      ],
    );
    counterOf(
      registry,
      {
        name: 'realtime_relay_unreachable_total',
        help: 'Requests whose session is on an instance that can not be reached. A rise: instances end, or the relay port is closed between them',
      },
      () => one(this.#relay?.unreachable ?? 0),
    );
  }

  watch(relay: Relay): void {
    this.#relay = relay;
  }
}
