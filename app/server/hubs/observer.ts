import type { Message } from '../../protocol/hub.ts';

/** Who passes on elsewhere what a hub says. Must not throw. */
export interface HubObserver {
  /** The hub's code emits an event: to a room or to all, but not to the member of this id. */
  emitted(
    event: string,
    args: readonly unknown[],
    room: string | undefined,
    except: string | undefined,
  ): void;
  /** A message was appended to a room's log. */
  published(message: Message): void;
}
