import {
  ConnectionStateToast,
  LiveKitRoom,
  RoomAudioRenderer,
  useRoomContext,
} from '@livekit/components-react';
import '@livekit/components-styles/components/index.css';
import '@livekit/components-styles/prefabs/index.css';
import {
  ConnectionError,
  DisconnectReason,
  MediaDeviceFailure,
  RoomEvent,
  type RoomOptions,
} from 'livekit-client';
import { useCallback, useEffect, useState } from 'react';
import type { CallToken } from '../../../protocol/calls.ts';
import { AgentButton, CallControls } from './call-controls.tsx';
import type { Devices } from './call-entry.tsx';
import { CallTiles } from './call-tiles.tsx';
import './call-stage.css';

export interface CallStageProps {
  readonly access: CallToken;
  readonly devices: Devices;
  /** It must stay the same function: LiveKitRoom reconnects when it gets another one. */
  readonly onLeft: (reason?: string) => void;
}

/** Videos are received in the size in which they are shown, and only while they are shown. */
const options: RoomOptions = { adaptiveStream: true, dynacast: true };

/** The call itself. This module loads LiveKit's client, so import it only when a call is joined. */
export function CallStage({ access, devices, onLeft }: CallStageProps) {
  const failed = useCallback(
    (error: Error) => {
      if (error instanceof ConnectionError) onLeft(`The media server does not answer: ${error.message}`);
    },
    [onLeft],
  );
  return (
    <LiveKitRoom
      className="call-stage"
      serverUrl={access.url}
      token={access.token}
      options={options}
      audio={devices.microphone}
      video={devices.camera}
      onError={failed}
    >
      <CallEnd onLeft={onLeft} />
      <CallTiles />
      <CallControls />
      <DeviceFault />
      <AgentButton room={access.room} />
      <RoomAudioRenderer />
      <ConnectionStateToast />
    </LiveKitRoom>
  );
}

interface CallEndProps {
  /** @param reason undefined if this window's user left */
  readonly onLeft: (reason?: string) => void;
}

const reasons: Readonly<Partial<Record<DisconnectReason, string>>> = {
  [DisconnectReason.PARTICIPANT_REMOVED]: 'You were taken out of the call.',
  [DisconnectReason.ROOM_DELETED]: 'The call was ended.',
  [DisconnectReason.SERVER_SHUTDOWN]: 'The media server went away. Join again: another one takes the call.',
};

/** Shows nothing. It reports that the call is over for this window, and why. */
function CallEnd({ onLeft }: CallEndProps) {
  const room = useRoomContext();
  useEffect(() => {
    const end = (reason: DisconnectReason = DisconnectReason.UNKNOWN_REASON) => {
      if (reason === DisconnectReason.CLIENT_INITIATED) onLeft();
      else onLeft(reasons[reason] ?? 'The call was lost. Join again.');
    };
    room.on(RoomEvent.Disconnected, end);
    return () => {
      room.off(RoomEvent.Disconnected, end);
    };
  }, [room, onLeft]);
  return null;
}

/** Shows why a camera, a microphone or a screen is not available, until one is. */
function DeviceFault() {
  const room = useRoomContext();
  const [fault, setFault] = useState<string>();
  useEffect(() => {
    const failed = (error: Error) => setFault(inWords(MediaDeviceFailure.getFailure(error)));
    const published = () => setFault(undefined);
    room.on(RoomEvent.MediaDevicesError, failed).on(RoomEvent.LocalTrackPublished, published);
    return () => {
      room.off(RoomEvent.MediaDevicesError, failed).off(RoomEvent.LocalTrackPublished, published);
    };
  }, [room]);
  return fault && <p role="alert">{fault}</p>;
}

function inWords(failure: MediaDeviceFailure | undefined): string {
  switch (failure) {
    case MediaDeviceFailure.PermissionDenied:
      return 'The browser does not let this page use a camera, a microphone or the screen.';
    case MediaDeviceFailure.NotFound:
      return 'There is no such camera or microphone. You can still watch and listen.';
    case MediaDeviceFailure.DeviceInUse:
      return 'Another program has the camera or the microphone.';
    default:
      return 'The camera, the microphone or the screen could not be had.';
  }
}
