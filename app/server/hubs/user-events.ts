import { z } from 'zod';
import type { BackplaneLinks } from '../redis/backplane.ts';
import { redisName } from '../redis/keys.ts';
import { deliverTo } from '../rooms/member.ts';
import type { HubMember } from './member.ts';

export interface UserEventsOptions {
  readonly hub: string;
  /** All that are connected to the hub here. */
  readonly members: ReadonlySet<HubMember>;
  /** Undefined in single-instance mode: all connections are here. */
  readonly links: BackplaneLinks | undefined;
  readonly deployment: string;
}

const said = z.object({ subject: z.string(), event: z.string(), payload: z.unknown() });
type UserEvent = z.infer<typeof said>;

/** Events for all connections of a user to a hub: every instance hears of each, and gives it to those that it has. */
export class UserEvents {
  readonly #options: UserEventsOptions;

  constructor(options: UserEventsOptions) {
    this.#options = options;
    void options.links?.channels.follow(this.#channel, {
      received: (payload) => this.#deliver(said.parse(JSON.parse(payload.toString()))),
      resubscribed: () => undefined,
    });
  }

  send(subject: string, event: string, payload: unknown): void {
    const { links } = this.#options;
    const connection = links?.commands.connection;
    const userEvent = { subject, event, payload };
    if (!connection) return void this.#deliver(userEvent);
    connection.publish(this.#channel, JSON.stringify(userEvent)).catch(() => this.#deliver(userEvent));
  }

  close(): void {
    this.#options.links?.channels.unsubscribe(this.#channel);
  }

  get #channel(): string {
    const { deployment, hub } = this.#options;
    return redisName(deployment, 'users', hub);
  }

  #deliver({ subject, event, payload }: UserEvent): void {
    const theirs = Array.from(this.#options.members).filter((member) => member.subject === subject);
    deliverTo(theirs, (format) => format.event(event, payload));
  }
}
