import { AutoSubscribe, inference, type JobContext, voice } from '@livekit/agents';
import type { VoiceSettings } from './environment.ts';
import { FailureNotices } from './failure-notices.ts';
import { leaveWithout } from './leave-without.ts';
import { longestQuestionMs } from './model-fetch.ts';
import { openModels } from './models.ts';

/**
 * Listens, thinks and speaks. All three models are asked at one API that speaks OpenAI's protocol, so a server of
 * one's own will do; who speaks when is decided here, by the framework's own detectors, which need no network.
 */
export async function converse(job: JobContext, settings: VoiceSettings): Promise<void> {
  await job.connect(undefined, AutoSubscribe.AUDIO_ONLY);
  const caller = await job.waitForParticipant().catch(() => undefined);
  // They hung up before it came.
  if (!caller) return;
  leaveWithout(caller, job);
  const longestMs = longestQuestionMs(settings);
  const session = new voice.AgentSession({
    vad: new inference.VAD(),
    ...openModels(settings, (error) => notices.tell('speech-to-text', error)),
    connOptions: {
      // The way to the API asks again itself, and knows when to give up.
      llmConnOptions: { maxRetry: 0, timeoutMs: longestMs },
      // A call outlives its models: they can come back while the caller is there.
      maxUnrecoverableErrors: Number.POSITIVE_INFINITY,
    },
    // Before, the framework drops an answer, and nobody is told.
    ttsReadIdleTimeout: longestMs,
    forwardAudioIdleTimeout: longestMs,
  });
  const notices = new FailureNotices(session, job.room, settings);
  session.on(voice.AgentSessionEventTypes.Error, ({ error }) => {
    if (error.type === 'llm_error') notices.tell('language model', error.error);
    if (error.type === 'tts_error') notices.tell('text-to-speech', error.error);
  });
  session.on(voice.AgentSessionEventTypes.SpeechCreated, ({ source, speechHandle }) => {
    notices.follow(speechHandle, source !== 'say');
  });
  // Else it would stay in the call of others, deaf and mute.
  session.on(voice.AgentSessionEventTypes.Close, ({ reason }) => job.shutdown(reason));
  await session.start({
    agent: new voice.Agent({ instructions: settings.instructions }),
    room: job.room,
    inputOptions: { participantIdentity: caller.identity },
    // Whatever LiveKit asks for.
    record: false,
  });
  await session.generateReply({
    instructions: 'Greet the caller in one short sentence, and offer your help.',
  });
}
