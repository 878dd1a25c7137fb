import {
  DisconnectButton,
  LeaveIcon,
  MediaDeviceMenu,
  StartAudio,
  TrackToggle,
} from '@livekit/components-react';
import { Track } from 'livekit-client';

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
