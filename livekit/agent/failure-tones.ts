import { ReadableStream } from 'node:stream/web';
import { AudioFrame } from '@livekit/rtc-node';

/** That of the agent's track. */
const sampleRate = 24_000;
const tonesHz = [440, 330];
const toneSeconds = 0.25;
/** Of 32,767. */
const loudness = 6_000;

/** Two falling tones: something is wrong, in every language, and without the voice. */
export function failureTones(): ReadableStream<AudioFrame> {
  return ReadableStream.from(tonesHz.map(toneOf));
}

/** It swells and fades, so that it does not click. */
function toneOf(hz: number): AudioFrame {
  const length = sampleRate * toneSeconds;
  const samples = Int16Array.from({ length }, (_, at) => {
    const envelope = Math.sin((Math.PI * at) / length);
    return Math.round(loudness * envelope * Math.sin((2 * Math.PI * hz * at) / sampleRate));
  });
  return new AudioFrame(samples, sampleRate, 1, length);
}
