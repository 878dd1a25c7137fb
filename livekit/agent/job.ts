import { defineAgent } from '@livekit/agents';
import { converse } from './conversation.ts';
import { keepLogDiscreet } from './discreet-log.ts';
import { echo } from './echo.ts';
import { readSettings } from './environment.ts';

/** The entry of a call's own process. */
export default defineAgent({
  prewarm: () => keepLogDiscreet(readSettings(process.env)),
  entry: async (job) => {
    const { voice } = readSettings(process.env);
    await (voice ? converse(job, voice) : echo(job));
  },
});
