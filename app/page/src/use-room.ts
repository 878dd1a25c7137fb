import { useEffect, useRef, useState } from 'react';
import { connectHub, type HubSocket } from '../../client/connect.ts';
import type { Message } from '../../protocol/hub.ts';

export type ConnectionState = 'connecting' | 'connected' | 'reconnecting';

export interface Room {
  readonly state: ConnectionState;
  /** The instance that serves this window, once it has said so. */
  readonly instance: string | undefined;
  readonly messages: readonly Message[];
  /** @returns undefined when it was taken, else why not */
  readonly publish: (text: string) => Promise<string | undefined>;
}

/** Longest time that the page waits for an acknowledgement, in milliseconds. */
const replyTimeoutMs = 5_000;
const shownMessages = 200;

/** One room of the chat hub, joined again after each reconnect. */
export function useRoom(name: string): Room {
  const socket = useRef<HubSocket>(undefined);
  const [state, setState] = useState<ConnectionState>('connecting');
  const [instance, setInstance] = useState<string>();
  const [messages, setMessages] = useState<readonly Message[]>([]);

  useEffect(() => {
    const hub = connectHub(location.origin, 'chat');
    socket.current = hub;
    hub.on('connect', async () => {
      const answer = await hub
        .timeout(replyTimeoutMs)
        .emitWithAck('join', { room: name })
        .catch(() => undefined);
      if (answer?.ok) setState('connected');
    });
    hub.on('disconnect', () => setState('reconnecting'));
    hub.on('welcome', (welcome) => setInstance(welcome.instance));
    hub.on('message', (message) => setMessages((shown) => [...shown, message].slice(-shownMessages)));
    return () => void hub.disconnect();
  }, [name]);

  const publish = async (text: string) => {
    const hub = socket.current;
    if (!hub?.connected) return 'Not connected: the message was not sent.';
    try {
      const answer = await hub.timeout(replyTimeoutMs).emitWithAck('publish', { room: name, body: { text } });
      return answer.ok ? undefined : answer.error.message;
    } catch {
      return 'No answer: the message may or may not have been sent.';
    }
  };

  return { state, instance, messages, publish };
}
