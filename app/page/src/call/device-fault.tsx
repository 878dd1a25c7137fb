import { useRoomContext } from '@livekit/components-react';
import { MediaDeviceFailure, RoomEvent } from 'livekit-client';
import { useEffect, useState } from 'react';

/** Why a camera, a microphone or a screen could not be had, until one is. */
export function DeviceFault() {
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
      return 'The browser was told not to give this page a camera, a microphone or the screen.';
    case MediaDeviceFailure.NotFound:
      return 'There is no such camera or microphone. You can still watch and listen.';
    case MediaDeviceFailure.DeviceInUse:
      return 'Another program has the camera or the microphone.';
    default:
      return 'The camera, the microphone or the screen could not be had.';
  }
}
