import { useEffect, useRef, useState } from 'react';
import { type ClientHub, openHub } from '../../client/hub.ts';
import type { ClientRoom } from '../../client/room.ts';
import type { ConnectionState } from '../../client/state.ts';
import type { Message } from '../../protocol/hub.ts';

export interface Room {
  readonly state: ConnectionState;
  /** The instance that serves this window, once it has said so. */
  readonly instance: string | undefined;
  readonly messages: readonly Message[];
  /** Messages were lost that can't be delivered any more. */
  readonly lost: boolean;
  /** @returns undefined when it was taken, else why not */
  readonly publish: (text: string) => Promise<string | undefined>;
}

/** How long the page tries to publish before it tells the writer, in milliseconds. */
const publishForMs = 15_000;
const shownMessages = 200;

/** One room of the chat hub. */
export function useRoom(name: string): Room {
  const joined = useRef<ClientRoom>(undefined);
  const [state, setState] = useState<ConnectionState>('connecting');
  const [instance, setInstance] = useState<string>();
  const [messages, setMessages] = useState<readonly Message[]>([]);
  const [lost, setLost] = useState(false);

  useEffect(() => {
    const hub: ClientHub = openHub(location.origin, 'chat');
    hub.watch(setState);
    hub.socket.on('welcome', (welcome) => setInstance(welcome.instance));
    joined.current = hub.join(name, {
      onMessage: (message) => setMessages((shown) => [...shown, message].slice(-shownMessages)),
      onLost: () => setLost(true),
    });
    return () => hub.close();
  }, [name]);

  const publish = async (text: string) => {
    try {
      await joined.current?.publish({ text }, { forMs: publishForMs });
      return undefined;
    } catch (error) {
      return `Not sent: ${(error as Error).message}`;
    }
  };

  return { state, instance, messages, lost, publish };
}
