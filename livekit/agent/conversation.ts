import { AutoSubscribe, inference, type JobContext, voice } from '@livekit/agents';
import * as openai from '@livekit/agents-plugin-openai';
import type { VoiceSettings } from './environment.ts';

/**
 * Listens, thinks and speaks. All three models are asked at one API that speaks OpenAI's protocol, so a server of
 * one's own will do; who speaks when is decided here, by the framework's own detector.
 */
export async function converse(job: JobContext, settings: VoiceSettings): Promise<void> {
  const { apiKey, baseURL } = settings;
  const api = { apiKey, ...(baseURL === undefined ? {} : { baseURL }) };
  await job.connect(undefined, AutoSubscribe.AUDIO_ONLY);
  const session = new voice.AgentSession({
    vad: new inference.VAD(),
    stt: new openai.STT({
      ...api,
      model: settings.speechToTextModel,
      useRealtime: false,
      detectLanguage: true,
    }),
    llm: new openai.LLM({ ...api, model: settings.languageModel }),
    tts: new openai.TTS({
      ...api,
      model: settings.textToSpeechModel,
      voice: settings.voice as openai.TTSVoices,
    }),
  });
  await session.start({ agent: new voice.Agent({ instructions: settings.instructions }), room: job.room });
  await session.generateReply({
    instructions: 'Greet the caller in one short sentence, and offer your help.',
  });
}
