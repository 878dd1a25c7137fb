import { AutoSubscribe, type JobContext } from '@livekit/agents';
import {
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  type RemoteTrack,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';

const sampleRate = 48_000;
/** With more speakers the agent echoes only the first so many. */
const mostSpeakers = 8;

/** Repeats what it hears: each speaker's audio comes back in a track of its own. It needs no key and no network. */
export async function echo(job: JobContext): Promise<void> {
  const heard = new Set<string>();
  const { room } = job;
  room.on(RoomEvent.TrackSubscribed, (track, publication, participant) => {
    if (track.kind !== TrackKind.KIND_AUDIO || heard.size >= mostSpeakers) return;
    const sid = publication.sid ?? participant.identity;
    heard.add(sid);
    void repeat(job, track, participant.identity).finally(() => heard.delete(sid));
  });
  await job.connect(undefined, AutoSubscribe.AUDIO_ONLY);
}

async function repeat({ room }: JobContext, track: RemoteTrack, speaker: string): Promise<void> {
  const source = new AudioSource(sampleRate, 1);
  const options = new TrackPublishOptions();
  options.source = TrackSource.SOURCE_MICROPHONE;
  const publication = await room.localParticipant?.publishTrack(
    LocalAudioTrack.createAudioTrack(`echo of ${speaker}`, source),
    options,
  );
  // The loop ends with the track, when its speaker left or stopped publishing it.
  for await (const frame of new AudioStream(track, sampleRate, 1)) await source.captureFrame(frame);
  if (publication?.sid !== undefined) await room.localParticipant?.unpublishTrack(publication.sid);
  await source.close();
}
