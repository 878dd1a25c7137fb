import {
  DisconnectButton,
  LeaveIcon,
  MediaDeviceMenu,
  StartAudio,
  TrackToggle,
  useRemoteParticipants,
} from '@livekit/components-react';
import { Track } from 'livekit-client';
import { useEffect, useState } from 'react';
import { callAgent } from './call-api.ts';

const mayShareScreen = navigator.mediaDevices !== undefined && 'getDisplayMedia' in navigator.mediaDevices;

/**
 * Buttons for the microphone, the camera, the screen and leaving. Like LiveKit's ControlBar, but the device menus have
 * names.
 */
export function CallControls() {
  const mayCapture = navigator.mediaDevices !== undefined;
  return (
    <div className="lk-control-bar" role="toolbar" aria-label="Call">
      {mayCapture && (
        <>
          <div className="lk-button-group">
            <TrackToggle source={Track.Source.Microphone}>Microphone</TrackToggle>
            <div className="lk-button-group-menu">
              <MediaDeviceMenu kind="audioinput" aria-label="Choose the microphone" />
            </div>
          </div>
          <div className="lk-button-group">
            <TrackToggle source={Track.Source.Camera}>Camera</TrackToggle>
            <div className="lk-button-group-menu">
              <MediaDeviceMenu kind="videoinput" aria-label="Choose the camera" />
            </div>
          </div>
        </>
      )}
      {mayShareScreen && (
        <TrackToggle source={Track.Source.ScreenShare} captureOptions={{ audio: true }}>
          Share screen
        </TrackToggle>
      )}
      <DisconnectButton>
        <LeaveIcon />
        Leave
      </DisconnectButton>
      <StartAudio label="Let the call be heard" />
    </div>
  );
}

/** A running agent comes within a second or two. After this time, in milliseconds, none does. */
const comesWithinMs = 15_000;

/** Calls the voice agent into the call. */
export function AgentButton({ room }: { readonly room: string }) {
  const isHere = useRemoteParticipants().some(({ isAgent }) => isAgent);
  const [called, setCalled] = useState(false);
  const [fault, setFault] = useState<string>();

  useEffect(() => {
    if (isHere) setFault(undefined);
    if (isHere || !called) return setCalled(false);
    const timer = setTimeout(() => {
      setCalled(false);
      setFault('No agent came: does livekit/agent run?');
    }, comesWithinMs);
    return () => clearTimeout(timer);
  }, [isHere, called]);

  const call = async () => {
    setFault(undefined);
    setCalled(true);
    await callAgent(room).catch((error: Error) => {
      setCalled(false);
      setFault(`Not called: ${error.message}`);
    });
  };
  if (isHere) {
    return (
      <div className="line">
        <p role="status">The voice agent is here: say something.</p>
        {/* LiveKit needs 21 s to see that its process has died; the service asks it. */}
        <button type="button" className="quiet" onClick={call}>
          No answer? Call it again
        </button>
        {fault && <p role="alert">{fault}</p>}
      </div>
    );
  }
  return (
    <div className="line">
      <button type="button" className="quiet" onClick={call} disabled={called}>
        {called ? 'Calling the voice agent…' : 'Call the voice agent'}
      </button>
      {fault && <p role="alert">{fault}</p>}
    </div>
  );
}
