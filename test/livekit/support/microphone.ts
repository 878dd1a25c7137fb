import {
  AudioFrame,
  AudioSource,
  LocalAudioTrack,
  type Room,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';
import type { Recording } from './recording.ts';

/** A microphone that is on: it sends silence until there is something to say. */
export interface Microphone {
  /** Resolves once all of it is sent. Recordings of one microphone have one sample rate. */
  say(recording: Recording): Promise<void>;
  /** Resolves once it is off. */
  turnOff(): Promise<void>;
}

/** What a source may hold before `captureFrame` waits, so that what is said is said now. */
const queueMs = 100;

export async function openMicrophone(room: Room, sampleRate: number): Promise<Microphone> {
  const source = await publishMicrophone(room, sampleRate, queueMs);
  const frameSamples = sampleRate / 100;
  const silence = new Int16Array(frameSamples);
  const waiting: { readonly samples: Int16Array; readonly sent: () => void }[] = [];
  let isOn = true;
  const send = (samples: Int16Array) =>
    source.captureFrame(new AudioFrame(samples, sampleRate, 1, frameSamples)).catch(() => undefined);
  const run = async () => {
    while (isOn) {
      const next = waiting.shift();
      if (!next) await send(silence);
      else {
        for (let at = 0; at + frameSamples <= next.samples.length && isOn; at += frameSamples) {
          // A copy: the library reads a view from the beginning of its buffer.
          await send(next.samples.slice(at, at + frameSamples));
        }
        next.sent();
      }
    }
  };
  const running = run();
  return {
    say: ({ samples }) => new Promise((sent) => waiting.push({ samples, sent })),
    turnOff: async () => {
      isOn = false;
      await running;
    },
  };
}

/** @param queue milliseconds that the source holds @default 1000 */
export async function publishMicrophone(
  room: Room,
  sampleRate: number,
  queue?: number,
): Promise<AudioSource> {
  const source = new AudioSource(sampleRate, 1, queue);
  const options = new TrackPublishOptions();
  options.source = TrackSource.SOURCE_MICROPHONE;
  await room.localParticipant?.publishTrack(LocalAudioTrack.createAudioTrack('microphone', source), options);
  return source;
}
