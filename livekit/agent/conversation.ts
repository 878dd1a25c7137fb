import { AutoSubscribe, inference, type JobContext, voice } from '@livekit/agents';
import { type RemoteParticipant, RoomEvent } from '@livekit/rtc-node';
import type { VoiceSettings } from './environment.ts';
import { FailureNotices } from './failure-notices.ts';
import { longestQuestionMs } from './model-fetch.ts';
import { openModels } from './models.ts';

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
