import { ConnectionStateToast, LiveKitRoom, RoomAudioRenderer } from '@livekit/components-react';
import '@livekit/components-styles/components/index.css';
import '@livekit/components-styles/prefabs/index.css';
import { ConnectionError, type RoomOptions } from 'livekit-client';
import { useCallback } from 'react';
import type { CallToken } from '../../../protocol/calls.ts';
import { AgentButton } from './agent-button.tsx';
import { CallControls } from './call-controls.tsx';
import { CallEnd } from './call-end.tsx';
import type { Devices } from './call-entry.tsx';
import { CallTiles } from './call-tiles.tsx';
import './call-stage.css';
import { DeviceFault } from './device-fault.tsx';

export interface CallStageProps {
  readonly access: CallToken;
  readonly devices: Devices;
  /** Stays the same function: with another one LiveKitRoom would connect again. */
  readonly onLeft: (reason?: string) => void;
}

/** Videos come in the size in which they are shown, and only while they are. */
const options: RoomOptions = { adaptiveStream: true, dynacast: true };

/** The call itself. What loads LiveKit's client: import it when a call is joined. */
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
