import { defineAgent } from '@livekit/agents';
import { converse } from './conversation.ts';
import { echo } from './echo.ts';
import { readSettings } from './environment.ts';

/** What runs in a call's own process. */
export default defineAgent({
  entry: async (job) => {
    const { voice } = readSettings(process.env);
    await (voice ? converse(job, voice) : echo(job));
  },
});
