import type * as Rtc from '@livekit/rtc-node';
import { CheckSkip } from '../check.ts';
import { quietParticipants } from './quiet.ts';
import { Tone } from './tone.ts';

/** A headless participant of one call. */
export interface Participant {
  /** Data messages of the others, as text, in the order of their arrival. */
  readonly heard: readonly string[];
  /** Frames of 10 ms of the others' audio: how many, and how many of them are no silence. */
  readonly audio: { readonly frames: number; readonly audible: number };
  /** Sends a reliable data message. */
  say(text: string): Promise<void>;
  /** Speaks a tone until it leaves. */
  speak(): Promise<void>;
  leave(): Promise<void>;
}

export type JoinCall = (url: string, token: string) => Promise<Participant>;

const sampleRate = 48_000;
/** Of 32,767: far above what a codec makes of silence. */
const audibleLevel = 500;

/** Loaded when a check needs it: it is large, and there is no build of it for every machine. @throws CheckSkip */
export async function loadParticipants(
  load: () => Promise<typeof Rtc> = () => import('@livekit/rtc-node'),
): Promise<JoinCall> {
  try {
    const rtc = await load();
    quietParticipants();
    return (url, token) => join(rtc, url, token);
  } catch (error) {
    const [words] = (error as Error).message.split('\n');
    throw new CheckSkip(`no participant can be played here: @livekit/rtc-node is not to be had (${words})`);
  }
}

async function join(rtc: typeof Rtc, url: string, token: string): Promise<Participant> {
  const room = new rtc.Room();
  const heard: string[] = [];
  const audio = { frames: 0, audible: 0 };
  room.on(rtc.RoomEvent.DataReceived, (payload) => heard.push(new TextDecoder().decode(payload)));
  room.on(rtc.RoomEvent.TrackSubscribed, (track) => {
    if (track.kind === rtc.TrackKind.KIND_AUDIO) void count(new rtc.AudioStream(track, sampleRate), audio);
  });
  await room.connect(url, token, { autoSubscribe: true, dynacast: false });
  let tone: Tone | undefined;
  return {
    heard,
    audio,
    say: async (text) => {
      await room.localParticipant?.publishData(new TextEncoder().encode(text), { reliable: true });
    },
    speak: async () => {
      const source = new rtc.AudioSource(sampleRate, 1);
      const track = rtc.LocalAudioTrack.createAudioTrack('tone', source);
      const options = new rtc.TrackPublishOptions();
      options.source = rtc.TrackSource.SOURCE_MICROPHONE;
      await room.localParticipant?.publishTrack(track, options);
      tone = new Tone(sampleRate, (samples) =>
        source.captureFrame(new rtc.AudioFrame(samples, sampleRate, 1, samples.length)),
      );
    },
    leave: async () => {
      await tone?.stop();
      await room.disconnect();
    },
  };
}

async function count(stream: Rtc.AudioStream, audio: { frames: number; audible: number }): Promise<void> {
  for await (const frame of stream) {
    audio.frames += 1;
    if (frame.data.some((sample) => Math.abs(sample) > audibleLevel)) audio.audible += 1;
  }
}
