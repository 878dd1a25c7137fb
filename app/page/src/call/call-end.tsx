import { useRoomContext } from '@livekit/components-react';
import { DisconnectReason, RoomEvent } from 'livekit-client';
import { useEffect } from 'react';

export interface CallEndProps {
  /** @param reason undefined when this window's user left */
  readonly onLeft: (reason?: string) => void;
}

const reasons: Readonly<Partial<Record<DisconnectReason, string>>> = {
  [DisconnectReason.PARTICIPANT_REMOVED]: 'You were taken out of the call.',
  [DisconnectReason.ROOM_DELETED]: 'The call was ended.',
  [DisconnectReason.SERVER_SHUTDOWN]: 'The media server went away. Join again: another one takes the call.',
};

/** Shows nothing; tells when the call is over for this window, and why. */
export function CallEnd({ onLeft }: CallEndProps) {
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
