import { useEffect, useState } from 'react';
import { type ClientHub, type ConnectionState, openHub } from '../../../client/hub.ts';
import { currentSession, discardToken } from '../session/session.ts';

export interface Hub {
  /** Undefined until this window has begun to connect. */
  readonly client: ClientHub | undefined;
  readonly state: ConnectionState;
  /** The instance that serves this window. Undefined until it has said so. */
  readonly instance: string | undefined;
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

/** Opens one hub, and closes it with the component. */
export function useHub(name: string): Hub {
  const [client, setClient] = useState<ClientHub>();
  const [state, setState] = useState<ConnectionState>('connecting');
  const [instance, setInstance] = useState<string>();

  useEffect(() => {
    const hub = openOwnHub(name);
    hub.watch(setState);
    hub.socket.on('welcome', (welcome) => setInstance(welcome.instance));
    setClient(hub);
    return () => {
      hub.close();
      setClient(undefined);
    };
  }, [name]);

  return { client, state, instance };
}
