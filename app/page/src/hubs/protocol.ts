import { useEffect, useState } from 'react';
import { type OpenHub, openOverSocketIO, type RoomsHub } from './use-hub.ts';

export type Protocol = 'socketio' | 'signalr';

export interface ChosenProtocol {
  readonly protocol: Protocol;
  /** Opens hubs over it. Until its code is loaded, the one before stays; undefined if there was none. */
  readonly open: OpenHub<RoomsHub> | undefined;
  /** Why the protocol that was chosen is not in use. */
  readonly fault: string | undefined;
  readonly choose: (protocol: Protocol) => void;
}

/** The protocol of a window. It stands in the window's address, so that a reload keeps it. */
export function useProtocol(): ChosenProtocol {
  const [protocol, setProtocol] = useState(protocolInAddress);
  const [open, setOpen] = useState<OpenHub<RoomsHub>>();
  const [fault, setFault] = useState<string>();

  useEffect(() => {
    let isOver = false;
    load(protocol).then(
      // In a function, for React would call it.
      (loaded) => isOver || setOpen(() => loaded),
      ({ message }: Error) => {
        if (isOver) return;
        setFault(`SignalR's client could not be loaded, so this is still Socket.IO: ${message}`);
        setProtocol('socketio');
      },
    );
    return () => {
      isOver = true;
    };
  }, [protocol]);

  const choose = (chosen: Protocol) => {
    setFault(undefined);
    setProtocol(chosen);
    keepInAddress(chosen);
  };
  return { protocol, open, fault, choose };
}

/** Microsoft's client comes in a file of its own, when it is chosen. */
async function load(protocol: Protocol): Promise<OpenHub<RoomsHub>> {
  if (protocol === 'socketio') return openOverSocketIO;
  return (await import('./over-signalr.ts')).openOverSignalR;
}

const parameter = 'protocol';

function protocolInAddress(): Protocol {
  return new URLSearchParams(location.search).get(parameter) === 'signalr' ? 'signalr' : 'socketio';
}

function keepInAddress(protocol: Protocol): void {
  const address = new URL(location.href);
  if (protocol === 'socketio') address.searchParams.delete(parameter);
  else address.searchParams.set(parameter, protocol);
  history.replaceState(history.state, '', address);
}
