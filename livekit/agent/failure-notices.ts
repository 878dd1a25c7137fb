import { log, type voice } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import OpenAI from 'openai';
import type { ModelRole, VoiceSettings } from './environment.ts';
import { failureTones } from './failure-tones.ts';
import { failedModelAttribute } from './names.ts';

/**
 * When a model fails, nobody is left in silence: the log says which and why, the caller hears a sentence, or two tones
 * where it is the voice that fails, and the agent's attribute tells the clients in the call.
 */
export class FailureNotices {
  readonly #session: voice.AgentSession;
  readonly #room: Room;
  readonly #settings: VoiceSettings;
  #failures = 0;
  /** The last that was begun. */
  #speech: voice.SpeechHandle | undefined;
  #notice: voice.SpeechHandle | undefined;

  constructor(session: voice.AgentSession, room: Room, settings: VoiceSettings) {
    this.#session = session;
    this.#room = room;
    this.#settings = settings;
  }

  /** Of each speech as it is begun: what failed works again when a reply comes through. */
  follow(speech: voice.SpeechHandle, isReply: boolean): void {
    this.#speech = speech;
    const before = this.#failures;
    if (before === 0 || !isReply) return;
    speech.addDoneCallback(() => {
      if (!speech.interrupted && this.#failures === before) this.#show(undefined);
    });
  }

  tell(role: ModelRole, error: Error): void {
    // The caller interrupted it.
    if (error instanceof OpenAI.APIUserAbortError) return;
    this.#failures += 1;
    const { models, baseURL } = this.#settings;
    log().error({ model: models[role], api: baseURL ?? 'OpenAI' }, `${role} failed: ${reasonOf(error)}`);
    this.#show(role);
    this.#sound(role);
  }

  #show(role: ModelRole | undefined): void {
    // A room that is gone has nobody to be told.
    this.#room.localParticipant?.setAttributes({ [failedModelAttribute]: role ?? '' }).catch(() => undefined);
  }

  /** After the speech that fails: a reply is begun before it is known that the caller has finished, and may be dropped. */
  #sound(role: ModelRole): void {
    const failed = role === 'speech-to-text' ? undefined : this.#speech;
    if (failed === undefined) this.#say(role);
    failed?.addDoneCallback(() => {
      if (!failed.interrupted) this.#say(role);
    });
  }

  /** Once for all that fails at a time: an answer's sentences fail one by one. */
  #say(role: ModelRole): void {
    if (this.#notice?.done() === false) return;
    const sound = role === 'text-to-speech' ? { audio: failureTones() } : {};
    try {
      this.#notice = this.#session.say(this.#settings.failureNotice, { addToChatCtx: false, ...sound });
    } catch {
      // The call is just ending.
    }
  }
}

/** What `model-faults.ts` put into words, or else the error's own. */
function reasonOf(error: Error): string {
  const { error: ofClient, body: ofFramework } = error as { error?: Worded; body?: Worded };
  return ofClient?.message ?? ofFramework?.message ?? error.message;
}

interface Worded {
  readonly message?: string;
}
