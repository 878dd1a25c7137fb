import { AutoSubscribe, inference, type JobContext, type stt, voice } from '@livekit/agents';
import * as openai from '@livekit/agents-plugin-openai';
import { type RemoteParticipant, RoomEvent } from '@livekit/rtc-node';
import OpenAI from 'openai';
import type { ModelRole, VoiceSettings } from './environment.ts';
import { FailureNotices } from './failure-notices.ts';
import { longestQuestionMs, modelFetch } from './model-fetch.ts';

/**
 * Listens, thinks and speaks. All three models are reached at one API that speaks OpenAI's protocol, so your own
 * server works, too. The framework's detectors decide here who speaks when; they need no network.
 */
export async function converse(job: JobContext, settings: VoiceSettings): Promise<void> {
  await job.connect(undefined, AutoSubscribe.AUDIO_ONLY);
  const caller = await job.waitForParticipant().catch(() => undefined);
  // The caller hung up before the agent came.
  if (!caller) return;
  leaveWithout(caller, job);
  const longestMs = longestQuestionMs(settings);
  const session = new voice.AgentSession({
    vad: new inference.VAD(),
    ...openModels(settings, (error) => notices.report('speech-to-text', error)),
    connOptions: {
      // `modelFetch` retries by itself, and knows when to give up.
      llmConnOptions: { maxRetry: 0, timeoutMs: longestMs },
      // The call goes on when models fail: they may recover while the caller is there.
      maxUnrecoverableErrors: Number.POSITIVE_INFINITY,
    },
    // With shorter timeouts the framework drops an answer, and nobody is notified.
    ttsReadIdleTimeout: longestMs,
    forwardAudioIdleTimeout: longestMs,
  });
  const notices = new FailureNotices(session, job.room, settings);
  session.on(voice.AgentSessionEventTypes.Error, ({ error }) => {
    if (error.type === 'llm_error') notices.report('language model', error.error);
    if (error.type === 'tts_error') notices.report('text-to-speech', error.error);
  });
  session.on(voice.AgentSessionEventTypes.SpeechCreated, ({ source, speechHandle }) => {
    notices.follow(speechHandle, source !== 'say');
  });
  // Otherwise the agent would stay in the call of others, and neither hear nor speak.
  session.on(voice.AgentSessionEventTypes.Close, ({ reason }) => job.shutdown(reason));
  await session.start({
    agent: new voice.Agent({ instructions: settings.instructions }),
    room: job.room,
    inputOptions: { participantIdentity: caller.identity },
    // No recording, even if LiveKit requests one.
    record: false,
  });
  await session.generateReply({
    instructions: 'Greet the caller in one short sentence, and offer your help.',
  });
}

/** As long as LiveKit keeps an empty room (`departure_timeout`). */
const returnMs = 20_000;

/**
 * Ends the job when its caller is gone, even if others are in the call: the agent hears nobody else. A caller who
 * hangs up ends the session at once. A caller who lost the network comes back with the same identity, or not at all.
 */
function leaveWithout({ identity }: RemoteParticipant, job: JobContext): void {
  const leave = () => {
    if (!job.room.remoteParticipants.has(identity)) job.shutdown('the caller is gone');
  };
  job.room.on(RoomEvent.ParticipantDisconnected, (gone) => {
    if (gone.identity === identity) setTimeout(leave, returnMs).unref();
  });
}

/** Speech-to-text, a language model and text-to-speech, at one API. */
interface Models {
  readonly stt: openai.STT;
  readonly llm: openai.LLM;
  readonly tts: openai.TTS;
}

/**
 * @param onUnheard gets the error if speech-to-text failed: the framework has an event only for the other two models
 */
function openModels(settings: VoiceSettings, onUnheard: (error: Error) => void): Models {
  const { apiKey, models, voice } = settings;
  return {
    stt: new SpeechToText(
      {
        apiKey,
        client: openModelApi('speech-to-text', settings),
        model: models['speech-to-text'],
        useRealtime: false,
        detectLanguage: true,
      },
      onUnheard,
    ),
    llm: new openai.LLM({
      apiKey,
      client: openModelApi('language model', settings),
      model: models['language model'],
    }),
    tts: new openai.TTS({
      apiKey,
      client: openModelApi('text-to-speech', settings),
      model: models['text-to-speech'],
      voice: voice as openai.TTSVoices,
    }),
  };
}

class SpeechToText extends openai.STT {
  readonly #onUnheard: (error: Error) => void;

  constructor(options: ConstructorParameters<typeof openai.STT>[0], onUnheard: (error: Error) => void) {
    super(options);
    this.#onUnheard = onUnheard;
  }

  override async _recognize(
    ...[words, signal]: Parameters<openai.STT['_recognize']>
  ): Promise<stt.SpeechEvent> {
    try {
      return await super._recognize(words, signal);
    } catch (error) {
      if (!signal?.aborted) this.#onUnheard(error as Error);
      throw error;
    }
  }
}

/**
 * Opens a client of one model. Its own retries are off, because they wait as long as the API demands, in the middle of
 * a call.
 */
function openModelApi(role: ModelRole, settings: VoiceSettings): OpenAI {
  const { apiKey, baseURL } = settings;
  return new OpenAI({
    apiKey,
    baseURL,
    maxRetries: 0,
    timeout: longestQuestionMs(settings),
    fetch: modelFetch(role, settings),
  });
}
