import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type * as Rtc from '@livekit/rtc-node';
import { NotProvedError } from '../check.ts';

/** A headless participant of one call. */
export interface Participant {
  /** Data messages of the others, as text, in the order of their arrival. */
  readonly received: readonly string[];
  /** The number of frames of 10 ms of the others' audio, and how many of them are not silent. */
  readonly audio: { readonly frames: number; readonly audible: number };
  /** Sends a reliable data message. */
  say(text: string): Promise<void>;
  /** Sends a tone until it leaves. */
  speak(): Promise<void>;
  leave(): Promise<void>;
}

export type JoinCall = (url: string, token: string) => Promise<Participant>;

const sampleRate = 48_000;
/** Of 32,767; far above what a codec makes of silence. */
const audibleLevel = 500;

/** Loads the library when a check needs it: it is large, and not built for every machine. @throws NotProvedError */
export async function loadParticipants(
  load: () => Promise<typeof Rtc> = () => import('@livekit/rtc-node'),
): Promise<JoinCall> {
  try {
    const rtc = await load();
    quietParticipants();
    return (url, token) => joinCall(rtc, url, token);
  } catch (error) {
    const [words] = (error as Error).message.split('\n');
    throw new NotProvedError(
      `no participant can be played here: @livekit/rtc-node is not to be had (${words})`,
    );
  }
}

async function joinCall(rtc: typeof Rtc, url: string, token: string): Promise<Participant> {
  const room = new rtc.Room();
  const received: string[] = [];
  const audio = { frames: 0, audible: 0 };
  room.on(rtc.RoomEvent.DataReceived, (payload) => received.push(new TextDecoder().decode(payload)));
  room.on(rtc.RoomEvent.TrackSubscribed, (track) => {
    if (track.kind === rtc.TrackKind.KIND_AUDIO) void count(new rtc.AudioStream(track, sampleRate), audio);
  });
  await room.connect(url, token, { autoSubscribe: true, dynacast: false });
  let tone: Tone | undefined;
  return {
    received,
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

const hertz = 440;
const amplitude = 8_000;

/** Sends a tone in frames of 10 ms until it is stopped. */
class Tone {
  readonly #running: Promise<void>;
  #isStopped = false;

  /** @param speak resolves when the next frame may come */
  constructor(rate: number, speak: (samples: Int16Array) => Promise<void>) {
    this.#running = this.#run(rate, speak);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(rate: number, speak: (samples: Int16Array) => Promise<void>): Promise<void> {
    const length = rate / 100;
    try {
      for (let at = 0; !this.#isStopped; at += length) await speak(wave(at, length, rate));
    } catch {
      // The room is gone. Missing frames show that.
    }
  }
}

function wave(from: number, length: number, rate: number): Int16Array {
  return Int16Array.from({ length }, (_, index) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * hertz * (from + index)) / rate)),
  );
}

/** The library logs to the standard output, where `--json` is alone, and has no setting for it. */
function quietParticipants(): void {
  const load = createRequire(import.meta.url);
  try {
    const { log } = load(join(dirname(load.resolve('@livekit/rtc-node')), 'log.cjs'));
    log.level = 'silent';
  } catch {
    // Another version may have it elsewhere. Then it logs, and works nevertheless.
  }
}
