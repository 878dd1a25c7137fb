import { z } from 'zod';
import { connectedRedis } from '../../redis/access.ts';
import type { BackplaneLinks } from '../../redis/backplane.ts';
import { redisName } from '../../redis/keys.ts';
import { attach, detach } from '../../rooms/body/attachments.ts';
import { assertEventName } from '../../rooms/hub-rooms.ts';
import { deliverTo } from '../../rooms/member.ts';
import type { HubMember } from '../member.ts';

export interface HubEventsOptions {
  readonly hub: string;
  /** All that are connected to the hub here, by their ids. */
  readonly members: ReadonlyMap<string, HubMember>;
  /** Undefined in single-instance mode: all connections are here. */
  readonly links: BackplaneLinks | undefined;
  readonly deployment: string;
}

const toUser = z.object({ subject: z.string(), event: z.string(), payload: z.unknown() });
const toAll = z.object({
  event: z.string(),
  args: z.array(z.unknown()),
  /** What is binary in the arguments, in base64. */
  attachments: z.array(z.string()),
  /** The id of a member that does not get it. */
  except: z.string().optional(),
});
const hubEvent = z.union([toUser, toAll]);
type HubEvent = z.infer<typeof hubEvent>;

/**
 * Events for connections to a hub, whatever rooms they are in: every instance hears of each, and gives it to those that
 * it has.
 */
export class HubEvents {
  readonly #options: HubEventsOptions;

  constructor(options: HubEventsOptions) {
    this.#options = options;
    void options.links?.channels.follow(this.#channel, {
      received: (payload) => this.#deliver(hubEvent.parse(JSON.parse(payload.toString()))),
      resubscribed: () => undefined,
    });
  }

  sendToUser(subject: string, event: string, payload: unknown): void {
    assertEventName(event);
    this.#send({ subject, event, payload });
  }

  /** @throws TypeError, BodyError as `HubRooms.emit` */
  emit(event: string, args: readonly unknown[], except?: string): void {
    assertEventName(event);
    const { values, attachments } = detach(args);
    this.#send({
      ...{ event, args: [...values], attachments: attachments.map((bytes) => bytes.toString('base64')) },
      ...(except !== undefined && { except }),
    });
  }

  close(): void {
    this.#options.links?.channels.unsubscribe(this.#channel);
  }

  get #channel(): string {
    const { deployment, hub } = this.#options;
    return redisName(deployment, 'users', hub);
  }

  #send(hubEvent: HubEvent): void {
    const connection = connectedRedis(this.#options.links, this.#channel);
    if (!connection) return void this.#deliver(hubEvent);
    connection.spublish(this.#channel, JSON.stringify(hubEvent)).catch(() => this.#deliver(hubEvent));
  }

  #deliver(hubEvent: HubEvent): void {
    const { event } = hubEvent;
    assertEventName(event);
    const args =
      'args' in hubEvent
        ? attach(
            hubEvent.args,
            hubEvent.attachments.map((text) => Buffer.from(text, 'base64')),
          )
        : [hubEvent.payload];
    const meant = Array.from(this.#options.members.values()).filter((member) => isMeant(member, hubEvent));
    deliverTo(meant, (format) => format.event(event, ...args));
  }
}

function isMeant({ id, subject }: HubMember, hubEvent: HubEvent): boolean {
  return 'args' in hubEvent ? id !== hubEvent.except : subject === hubEvent.subject;
}
