import { type ComponentType, useCallback, useEffect, useRef, useState } from 'react';
import type { CallParticipant, CallToken } from '../../../protocol/calls.ts';
import { callEventOf } from '../chat/call-line.tsx';
import { Conversation } from '../chat/conversation.tsx';
import { ConnectionStatus } from '../hubs/connection-status.tsx';
import { useHub } from '../hubs/use-hub.ts';
import { useRoom } from '../hubs/use-room.ts';
import { useSession } from '../session/session.ts';
import { askCallToken, askParticipants, type CallError } from './call-api.ts';
import { CallEntry, type Devices } from './call-entry.tsx';
import type { CallStageProps } from './call-stage.tsx';

interface Joined {
  readonly access: CallToken;
  readonly devices: Devices;
  readonly Stage: ComponentType<CallStageProps>;
}

/** The call of a chat room, and the room's messages beside it. */
export function CallView({ room: name }: { readonly room: string }) {
  const hub = useHub('chat');
  const room = useRoom(hub.client, name);
  const self = useSession()?.subject;
  const newestEvent = room.messages.findLast((message) => callEventOf(message) !== undefined)?.id;
  const [joined, setJoined] = useState<Joined>();
  const [ended, setEnded] = useState<string>();
  const title = useRef<HTMLHeadingElement>(null);
  const call = useCall(joined ? undefined : name, newestEvent);

  const join = async (devices: Devices) => {
    try {
      // LiveKit's client is larger than the rest of the page, so it is loaded only when a call is joined.
      const [{ CallStage }, access] = await Promise.all([import('./call-stage.tsx'), askCallToken(name)]);
      setEnded(undefined);
      setJoined({ access, devices, Stage: CallStage });
      title.current?.focus();
      return undefined;
    } catch (error) {
      return `Not joined: ${(error as Error).message}`;
    }
  };
  const leave = useCallback((reason?: string) => {
    setJoined(undefined);
    setEnded(reason);
    title.current?.focus();
  }, []);
  return (
    <section className="call" aria-labelledby="call-title">
      <div className="view-head">
        <h2 id="call-title" ref={title} tabIndex={-1}>
          Call in <em>{name}</em>
        </h2>
        <ConnectionStatus hub={hub} />
      </div>
      <div className="columns">
        <div className="column">
          {ended && <p role="alert">{ended}</p>}
          {joined ? (
            <joined.Stage access={joined.access} devices={joined.devices} onLeft={leave} />
          ) : (
            <Door call={call} self={self} onJoin={join} />
          )}
        </div>
        <Conversation hub={hub} name={name} room={room} self={self} />
      </div>
    </section>
  );
}

interface DoorProps {
  readonly call: Call;
  readonly self: string | undefined;
  readonly onJoin: (devices: Devices) => Promise<string | undefined>;
}

function Door({ call, self, onJoin }: DoorProps) {
  if (call.state === 'absent') return <NoMediaServer />;
  if (call.state === 'open') {
    return <CallEntry participants={call.participants} self={self} onJoin={onJoin} />;
  }
  if (call.state === 'away') return <p role="alert">No call for now. {call.reason}. Trying again…</p>;
  return <p className="soft">Asking who is in the call…</p>;
}

/** Explains how to add LiveKit if the service has none. */
function NoMediaServer() {
  return (
    <div className="panel notice">
      <h3>No media server</h3>
      <p>
        Calls go through LiveKit, and this service knows none: it has no LIVEKIT_URL. The chat beside works
        without it.
      </p>
      <dl>
        <dt>On this machine</dt>
        <dd>
          Put <code>livekit-server</code> on the PATH (it is one file, from LiveKit's releases), then start
          again: <code>npm start</code> runs two nodes of it.
        </dd>
        <dt>On AWS</dt>
        <dd>
          <code>npx cdk deploy -c liveKitNodes=2</code>
        </dd>
        <dt>With a LiveKit that you have</dt>
        <dd>
          Give the service <code>LIVEKIT_URL</code>, <code>LIVEKIT_API_KEY</code> and{' '}
          <code>LIVEKIT_API_SECRET</code>.
        </dd>
      </dl>
    </div>
  );
}

/** What this window knows of a room's call. */
type Call =
  | { readonly state: 'asking' }
  | { readonly state: 'open'; readonly participants: readonly CallParticipant[] }
  /** There is no media server. */
  | { readonly state: 'absent' }
  | { readonly state: 'away'; readonly reason: string };

/** The pause after a failed try, in milliseconds. */
const againAfterMs = 3_000;

/**
 * @param room undefined: nothing is requested
 * @param occasion a change of it causes a new request: the latest event of the call
 */
function useCall(room: string | undefined, occasion: unknown): Call {
  const [call, setCall] = useState<Call>({ state: 'asking' });
  const [tries, setTries] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: an occasion to ask is not read
  useEffect(() => {
    if (room === undefined) return;
    let isOver = false;
    let timer: number | undefined;
    const show = (now: Call) => {
      if (isOver) return;
      setCall(now);
      if (now.state === 'away') timer = window.setTimeout(() => setTries(tries + 1), againAfterMs);
    };
    askParticipants(room).then(
      (participants) => show({ state: 'open', participants }),
      ({ code, message }: CallError) =>
        show(code === 'not_configured' ? { state: 'absent' } : { state: 'away', reason: message }),
    );
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [room, occasion, tries]);

  return call;
}
