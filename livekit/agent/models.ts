import type { stt } from '@livekit/agents';
import * as openai from '@livekit/agents-plugin-openai';
import OpenAI from 'openai';
import type { ModelRole, VoiceSettings } from './environment.ts';
import { longestQuestionMs, modelFetch } from './model-fetch.ts';

/** Speech-to-text, a language model and text-to-speech, at one API. */
export interface Models {
  readonly stt: openai.STT;
  readonly llm: openai.LLM;
  readonly tts: openai.TTS;
}

/**
 * @param onUnheard gets the error if speech-to-text failed: the framework has an event only for the other two models
 */
export function openModels(settings: VoiceSettings, onUnheard: (error: Error) => void): Models {
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
