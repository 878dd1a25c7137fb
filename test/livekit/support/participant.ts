import {
  AudioFrame,
  type AudioSource,
  AudioStream,
  dispose,
  Room,
  RoomEvent,
  TrackKind,
} from '@livekit/rtc-node';
import { publishMicrophone } from './microphone.ts';

/** A headless participant of one call: what it hears, and what it says. */
export interface Participant {
  readonly room: Room;
  /** Data messages, as text. */
  readonly data: string[];
  /** Frames of other people's audio tracks: how many, and how many of them are no silence. */
  readonly audio: { frames: number; audible: number };
  say(text: string): Promise<void>;
  /** Speaks a tone until it leaves. */
  speak(): Promise<void>;
  leave(): Promise<void>;
}

const sampleRate = 48_000;
const frameSamples = sampleRate / 100;
const toneHz = 440;
/** Of 32,767: far above what a codec makes of silence. */
const audibleLevel = 500;

export async function joinCall(url: string, token: string): Promise<Participant> {
  const room = new Room();
  const data: string[] = [];
  const audio = { frames: 0, audible: 0 };
  room.on(RoomEvent.DataReceived, (payload) => data.push(new TextDecoder().decode(payload)));
  room.on(RoomEvent.TrackSubscribed, (track) => {
    if (track.kind === TrackKind.KIND_AUDIO) void count(new AudioStream(track, sampleRate), audio);
  });
  await room.connect(url, token, { autoSubscribe: true, dynacast: false });
  const left = new AbortController();
  let speaking: Promise<void> | undefined;
  return {
    room,
    data,
    audio,
    say: async (text) => {
      await room.localParticipant?.publishData(new TextEncoder().encode(text), { reliable: true });
    },
    speak: async () => {
      speaking = tone(await publishMicrophone(room, sampleRate), left.signal);
    },
    leave: async () => {
      left.abort();
      await speaking;
      await room.disconnect();
    },
  };
}

/** Ends the library's threads; afterwards nobody joins any more. */
export const endCalls = dispose;

async function tone(source: AudioSource, left: AbortSignal): Promise<void> {
  for (let at = 0; !left.aborted; at += frameSamples) {
    const samples = Int16Array.from({ length: frameSamples }, (_, index) =>
      Math.round(8_000 * Math.sin((2 * Math.PI * toneHz * (at + index)) / sampleRate)),
    );
    // Waits while the source holds a second of it, so the pace is that of real time.
    await source.captureFrame(new AudioFrame(samples, sampleRate, 1, frameSamples)).catch(() => undefined);
  }
}

async function count(stream: AudioStream, audio: Participant['audio']): Promise<void> {
  for await (const frame of stream) {
    audio.frames += 1;
    if (frame.data.some((sample) => Math.abs(sample) > audibleLevel)) audio.audible += 1;
  }
}
