import { useEffect, useState } from 'react';
import { type ClientHub, openHub } from '../../../client/hub.ts';
import type { ConnectionState } from '../../../client/state.ts';
import { currentSession } from '../session/session.ts';

export interface Hub {
  /** Undefined until this window has begun to connect. */
  readonly client: ClientHub | undefined;
  readonly state: ConnectionState;
  /** The instance that serves this window, once it has said so. */
  readonly instance: string | undefined;
}

/** Opens a hub of the service that the page came from; the token is asked for anew at each connect. */
export function openOwnHub(name: string, forceNew = false): ClientHub {
  return openHub(location.origin, name, {
    forceNew,
    auth: (give) => {
      currentSession().then(
        ({ token }) => give(token === undefined ? {} : { token }),
        () => give({}),
      );
    },
  });
}

/** One hub, for as long as the component is there. */
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
