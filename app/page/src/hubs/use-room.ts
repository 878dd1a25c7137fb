import { useEffect, useRef, useState } from 'react';
import type { ClientHub } from '../../../client/hub.ts';
import type { ClientRoom } from '../../../client/room/room.ts';
import type { Message } from '../../../protocol/hub.ts';

export interface Room {
  readonly messages: readonly Message[];
  /** Messages were lost that can't be delivered any more. */
  readonly lost: boolean;
  /** Why the service does not let this window into the room. */
  readonly refused: string | undefined;
  /** @returns undefined if it worked, else the reason */
  readonly publish: (body: unknown) => Promise<string | undefined>;
}

/** How long the page tries to publish before it reports a failure, in milliseconds. */
const publishForMs = 15_000;
const shownMessages = 200;
const recent = 50;

/** One room of a hub. */
export function useRoom(hub: ClientHub | undefined, name: string): Room {
  const joined = useRef<ClientRoom>(undefined);
  const [messages, setMessages] = useState<readonly Message[]>([]);
  const [lost, setLost] = useState(false);
  const [refused, setRefused] = useState<string>();

  useEffect(() => {
    if (!hub) return;
    setMessages([]);
    setRefused(undefined);
    const handlers = {
      onMessage: (message: Message) => setMessages((shown) => [...shown, message].slice(-shownMessages)),
      onLost: () => setLost(true),
      onRefused: (error: Error) => setRefused(error.message),
    };
    joined.current = hub.join(name, handlers, { recent });
    return () => hub.leave(name);
  }, [hub, name]);

  const publish = async (body: unknown) => {
    try {
      await joined.current?.publish(body, { forMs: publishForMs });
      return undefined;
    } catch (error) {
      return `Not sent: ${(error as Error).message}`;
    }
  };

  return { messages, lost, refused, publish };
}
