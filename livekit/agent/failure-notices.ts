import { ReadableStream } from 'node:stream/web';
import { log, type voice } from '@livekit/agents';
import { AudioFrame, type Room } from '@livekit/rtc-node';
import OpenAI from 'openai';
import type { ModelRole, VoiceSettings } from './environment.ts';
import { failedModelAttribute } from './names.ts';

/**
 * Reports the failure of a model. The log says which one and why; the caller hears a sentence, or two tones if
 * text-to-speech failed; and the agent's attribute shows it to the clients in the call.
 */
export class FailureNotices {
  readonly #session: voice.AgentSession;
  readonly #room: Room;
  readonly #settings: VoiceSettings;
  #failures = 0;
  /** The speech that was started last. */
  #speech: voice.SpeechHandle | undefined;
  #notice: voice.SpeechHandle | undefined;

  constructor(session: voice.AgentSession, room: Room, settings: VoiceSettings) {
    this.#session = session;
    this.#room = room;
    this.#settings = settings;
  }

  /** Call it when a speech starts. If a reply is spoken to its end, the failed model works again. */
  follow(speech: voice.SpeechHandle, isReply: boolean): void {
    this.#speech = speech;
    const before = this.#failures;
    if (before === 0 || !isReply) return;
    speech.addDoneCallback(() => {
      if (!speech.interrupted && this.#failures === before) this.#show(undefined);
    });
  }

  report(role: ModelRole, error: Error): void {
    // The caller interrupted the request.
    if (error instanceof OpenAI.APIUserAbortError) return;
    this.#failures += 1;
    const { models, baseURL } = this.#settings;
    log().error({ model: models[role], api: baseURL ?? 'OpenAI' }, `${role} failed: ${reasonOf(error)}`);
    this.#show(role);
    this.#sound(role);
  }

  #show(role: ModelRole | undefined): void {
    // A room that is gone has nobody to notify.
    this.#room.localParticipant?.setAttributes({ [failedModelAttribute]: role ?? '' }).catch(() => undefined);
  }

  /** Speaks after the failing speech: a reply is started before the caller has finished, and may be dropped. */
  #sound(role: ModelRole): void {
    const failed = role === 'speech-to-text' ? undefined : this.#speech;
    if (failed === undefined) this.#say(role);
    failed?.addDoneCallback(() => {
      if (!failed.interrupted) this.#say(role);
    });
  }

  /** Speaks once for all failures at a time: the sentences of an answer fail one by one. */
  #say(role: ModelRole): void {
    if (this.#notice?.done() === false) return;
    const sound = role === 'text-to-speech' ? { audio: failureTones() } : {};
    try {
      this.#notice = this.#session.say(this.#settings.failureNotice, { addToChatCtx: false, ...sound });
    } catch {
      // The call is ending.
    }
  }
}

/** The message of `model-fetch.ts`, or else the error's own. */
function reasonOf(error: Error): string {
  const { error: ofClient, body: ofFramework } = error as { error?: Worded; body?: Worded };
  return ofClient?.message ?? ofFramework?.message ?? error.message;
}

interface Worded {
  readonly message?: string;
}

/** The sample rate of the agent's track. */
const sampleRate = 24_000;
const tonesHz = [440, 330];
const toneSeconds = 0.25;
/** Of 32,767. */
const loudness = 6_000;

/** Two falling tones, which mean a fault in every language, and need no voice. */
function failureTones(): ReadableStream<AudioFrame> {
  return ReadableStream.from(tonesHz.map(toneOf));
}

/** The tone swells and fades, so that it does not click. */
function toneOf(hz: number): AudioFrame {
  const length = sampleRate * toneSeconds;
  const samples = Int16Array.from({ length }, (_, at) => {
    const envelope = Math.sin((Math.PI * at) / length);
    return Math.round(loudness * envelope * Math.sin((2 * Math.PI * hz * at) / sampleRate));
  });
  return new AudioFrame(samples, sampleRate, 1, length);
}
