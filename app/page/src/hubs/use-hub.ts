import { useEffect, useState } from 'react';
import { type ClientHub, type ConnectionState, openHub } from '../../../client/hub.ts';
import { currentSession, discardToken } from '../session/session.ts';

export interface Hub<Client = ClientHub> {
  /** Undefined until this window has begun to connect. */
  readonly client: Client | undefined;
  readonly state: ConnectionState;
  /** The instance that serves this window. Undefined until it has said so. */
  readonly instance: string | undefined;
}

/** What rooms need of a hub, whatever its protocol. */
export type RoomsHub = Pick<ClientHub, 'join' | 'leave' | 'caller' | 'close'>;

/** Opens a hub over one protocol, and says what a window shows of its connection. */
export type OpenHub<Client extends Closable> = (name: string, watcher: HubWatcher) => Client;

export interface HubWatcher {
  onState(state: ConnectionState): void;
  onInstance(instance: string): void;
}

interface Closable {
  close(): void;
}

/** Opens a hub of the service that served the page. It gets a new token at each connect if needed. */
export function openOwnHub(name: string, forceNew = false): ClientHub {
  let given: string | undefined;
  const hub = openHub(location.origin, name, {
    forceNew,
    auth: async (give) => {
      given = (await currentSession()).token;
      give(given === undefined ? {} : { token: given });
    },
  });
  let hasBegunAnew = false;
  hub.socket.on('connect', () => {
    hasBegunAnew = false;
  });
  hub.socket.on('connect_error', (error) => {
    const { code } = (error as { data?: { code?: string } }).data ?? {};
    if (code === 'expired' || code === 'invalid') discardToken(given);
    // On a laptop the service has new keys after each start, and the window may have an older token.
    if (code !== 'invalid' || hasBegunAnew) return;
    hasBegunAnew = true;
    hub.socket.connect();
  });
  return hub;
}

export const openOverSocketIO: OpenHub<ClientHub> = (name, { onState, onInstance }) => {
  const hub = openOwnHub(name);
  hub.watch(onState);
  hub.socket.on('welcome', ({ instance }) => onInstance(instance));
  return hub;
};

/** Opens one hub over Socket.IO, and closes it with the component. */
export function useHub(name: string): Hub {
  return useHubOver(openOverSocketIO, name);
}

/**
 * Opens one hub, and closes it with the component.
 * @param open another function closes the hub and opens it anew; undefined: not yet
 */
export function useHubOver<Client extends Closable>(
  open: OpenHub<Client> | undefined,
  name: string,
): Hub<Client> {
  const [client, setClient] = useState<Client>();
  const [state, setState] = useState<ConnectionState>('connecting');
  const [instance, setInstance] = useState<string>();

  useEffect(() => {
    setState('connecting');
    setInstance(undefined);
    if (!open) return;
    let isOver = false;
    const hub = open(name, {
      // The one before has nothing to say any more.
      onState: (now) => isOver || setState(now),
      onInstance: (now) => isOver || setInstance(now),
    });
    setClient(() => hub);
    return () => {
      isOver = true;
      hub.close();
      setClient(undefined);
    };
  }, [open, name]);

  return { client, state, instance };
}
