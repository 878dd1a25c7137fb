import type { JobContext } from '@livekit/agents';
import { type RemoteParticipant, RoomEvent } from '@livekit/rtc-node';

/** LiveKit's own patience with an empty room (`departure_timeout`). */
const returnMs = 20_000;

/**
 * Ends the job when its caller is gone, even if others are in the call: the agent hears nobody else. Who hangs up ends
 * the session at once; one who lost the network comes back under the same identity, or not at all.
 */
export function leaveWithout({ identity }: RemoteParticipant, job: JobContext): void {
  const leave = () => {
    if (!job.room.remoteParticipants.has(identity)) job.shutdown('the caller is gone');
  };
  job.room.on(RoomEvent.ParticipantDisconnected, (gone) => {
    if (gone.identity === identity) setTimeout(leave, returnMs).unref();
  });
}
