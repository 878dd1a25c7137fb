import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** 16-bit samples of one channel. */
export interface Recording {
  readonly sampleRate: number;
  readonly samples: Int16Array;
}

/**
 * "When does the tea room open tomorrow?", two seconds: espeak-ng 1.51, `-v en-us -s 150`, brought to 16 kHz without its
 * silent ends by sox.
 */
export const question = readWav(readFileSync(join(import.meta.dirname, 'question.wav')));

/** A WAV of a plain header, as sox and OpenAI's plugin write it. */
export function readWav(file: Buffer): Recording {
  const isPlain = file.toString('latin1', 0, 4) === 'RIFF' && file.toString('latin1', 36, 40) === 'data';
  const isMono16 = file.readUInt16LE(22) === 1 && file.readUInt16LE(34) === 16;
  if (!isPlain || !isMono16) throw new Error('this is no WAV of one channel of 16 bits');
  const data = file.subarray(44, 44 + file.readUInt32LE(40));
  return {
    sampleRate: file.readUInt32LE(24),
    samples: Int16Array.from({ length: data.length / 2 }, (_, at) => data.readInt16LE(2 * at)),
  };
}

/**
 * How alike a part of what was said is to it in its loudness over time, at the best alignment: 1 is the same, 0 has
 * nothing in common.
 */
export function likeness(part: Recording, said: Recording): number {
  const heard = loudness(part);
  const silence = Array.from(heard, () => 0);
  const whole = [...silence, ...loudness(said), ...silence];
  const lags = Array.from({ length: whole.length - heard.length + 1 }, (_, lag) => lag);
  return Math.max(...lags.map((lag) => correlation(heard, whole.slice(lag, lag + heard.length))));
}

/** Of each 20 ms. */
function loudness({ sampleRate, samples }: Recording): number[] {
  const window = sampleRate / 50;
  return Array.from({ length: Math.floor(samples.length / window) }, (_, at) => {
    const part = samples.subarray(at * window, (at + 1) * window);
    return Math.sqrt(part.reduce((sum, sample) => sum + sample ** 2, 0) / window);
  });
}

function correlation(one: number[], other: number[]): number {
  const [a, b] = [one, other].map((values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.map((value) => value - mean);
  }) as [number[], number[]];
  const product = (x: number[], y: number[]) => x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
  return product(a, b) / (Math.sqrt(product(a, a) * product(b, b)) || 1);
}
