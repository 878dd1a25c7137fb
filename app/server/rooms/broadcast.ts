import { z } from 'zod';

/**
 * What instances broadcast to each other about a room beside its log: it is not kept, not numbered, and lost where
 * nobody listens.
 */
export type Broadcast =
  /** An ephemeral event for the room's members. */
  | {
      readonly kind: 'event';
      readonly event: string;
      readonly payload: unknown;
      /** The id of a member that does not get it. */
      readonly except?: string | undefined;
    }
  /** Any event with any arguments, for members to be sent as Socket.IO's `emit` sends it. */
  | {
      readonly kind: 'emit';
      readonly event: string;
      readonly args: readonly unknown[];
      /** What is binary in the arguments, in base64. */
      readonly attachments?: readonly string[] | undefined;
      /** The id of a member that does not get it. */
      readonly except?: string | undefined;
    }
  /** Who is not to be in the room any more. */
  | { readonly kind: 'expel'; readonly subject: string }
  /** The log says now that messages are lost: it is to be read. */
  | { readonly kind: 'loss' }
  /** Something was appended that may not be heard: the log is to be read. */
  | { readonly kind: 'appended' };

/** A broadcast's payload starts with it, and no epoch does. */
const broadcastMark = '!';

/** Clients take these for the end of the protocol. */
const reservedEvents = new Set([
  '',
  'connect',
  'connect_error',
  'disconnect',
  'disconnecting',
  'newListener',
  'removeListener',
]);

/** Whether an event's name may be sent: clients take the others for their transport's own. */
export function isEventName(name: string): boolean {
  return !reservedEvents.has(name);
}

const eventName = z.string().refine(isEventName, 'belongs to the transport');

const broadcastSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('event'),
    event: eventName,
    payload: z.unknown(),
    except: z.string().optional(),
  }),
  z.object({
    kind: z.literal('emit'),
    event: eventName,
    args: z.array(z.unknown()),
    attachments: z.array(z.string()).optional(),
    except: z.string().optional(),
  }),
  z.object({ kind: z.literal('expel'), subject: z.string() }),
  z.object({ kind: z.literal('loss') }),
  z.object({ kind: z.literal('appended') }),
]);

/** The text of a broadcast on a room's channel. */
export function encodeBroadcast(broadcast: Broadcast): string {
  return broadcastMark + JSON.stringify(broadcast);
}

/** The same of an event, open for more fields of its payload: a script adds them, and `}}`. */
export function openEvent(event: string, payload: object): string {
  return `${encodeBroadcast({ kind: 'event', event, payload }).slice(0, -'}}'.length)},`;
}

export function isBroadcast(payload: Buffer): boolean {
  return payload[0] === broadcastMark.charCodeAt(0);
}

/** @throws Error for what no instance has said */
export function parseBroadcast(payload: Buffer): Broadcast {
  const said: unknown = JSON.parse(payload.toString('utf8', broadcastMark.length));
  return isPlainEvent(said) ? said : (broadcastSchema.parse(said) as Broadcast);
}

/** Presence and who is typing are most of what is broadcast: they are looked at without the schema. */
function isPlainEvent(said: unknown): said is Broadcast & { readonly kind: 'event' } {
  const { kind, event, except } = (said ?? {}) as Partial<Record<string, unknown>>;
  if (kind !== 'event' || typeof event !== 'string') return false;
  return isEventName(event) && (except === undefined || typeof except === 'string');
}
