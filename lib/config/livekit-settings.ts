import { z } from 'zod';

const url = /^https:\/\/[^\s"\\]+$/;

const whole = (setting: string, least: number, most: number) => {
  const error = ({ input }: { readonly input?: unknown }) =>
    `must have \`${setting}\` as a whole number from ${least} to ${most}, got: ${JSON.stringify(input)}; remove it for LiveKit’s default`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};

const webhookError = ({ input }: { readonly input?: unknown }) =>
  `must have \`webhookUrls\` as 1 to 10 https URLs, got: ${JSON.stringify(input)}; write them as a JSON list`;

/** What the owner may set in LiveKit's configuration. Everything else follows from other knobs. */
const shape = {
  emptyTimeoutSeconds: whole('emptyTimeoutSeconds', 1, 86_400)
    .optional()
    .describe('Seconds after which LiveKit closes a room that nobody joined. LiveKit’s default is 300.'),
  departureTimeoutSeconds: whole('departureTimeoutSeconds', 1, 86_400)
    .optional()
    .describe(
      'Seconds after which LiveKit closes a room when the last participant has left. LiveKit’s default is 20.',
    ),
  maxParticipants: whole('maxParticipants', 1, 100_000)
    .optional()
    .describe('Participants of a room at most. LiveKit has no limit by default.'),
  maxVideoSubscriptions: whole('maxVideoSubscriptions', 1, 10_000)
    .optional()
    .describe('Video tracks that a participant may receive at once. LiveKit has no limit by default.'),
  maxAudioSubscriptions: whole('maxAudioSubscriptions', 1, 10_000)
    .optional()
    .describe('Audio tracks that a participant may receive at once. LiveKit has no limit by default.'),
  maxMetadataBytes: whole('maxMetadataBytes', 1, 1_000_000)
    .optional()
    .describe('Bytes of metadata of a room or a participant. LiveKit’s default is 64,000.'),
  webhookUrls: z
    .array(z.string({ error: webhookError }).regex(url, { error: webhookError }), { error: webhookError })
    .min(1, { error: webhookError })
    .max(10, { error: webhookError })
    .optional()
    .describe(
      'More addresses to which LiveKit posts room events, beside the service. They are signed with the current version of LiveKit’s API key.',
    ),
};

const settings = z.strictObject(shape, {
  error: ({ input, keys = [] }: { readonly input?: unknown; readonly keys?: readonly string[] }) =>
    keys.length > 0
      ? `must have settings that it knows, got: ${keys.join(', ')}; take some of ${Object.keys(shape).join(', ')}`
      : `must be an object of settings, got: ${JSON.stringify(input)}; write JSON such as {"maxParticipants":50}`,
});

/** A knob that is an object in cdk.json, or its JSON on the command line. */
export const liveKitSettings = z.preprocess((given) => {
  if (typeof given !== 'string') return given;
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}, settings);
