import { discreetLine } from '../../../livekit/agent/discreet-log.ts';
import { readSettings } from '../../../livekit/agent/environment.ts';

const environment = {
  LIVEKIT_URL: 'ws://127.0.0.1:7880',
  LIVEKIT_API_KEY: 'k',
  LIVEKIT_API_SECRET: 'hunter2',
  AGENT_MODE: 'voice',
  VOICE_API_KEY: 'sk-1',
};
const discreet = (level: string) => discreetLine(readSettings({ ...environment, LOG_LEVEL: level }));
const line = `${JSON.stringify({
  level: 30,
  'lk.pii.new_transcript': 'my number is 7',
  'lk.pii.participant_identity': 'ada~1',
  job: { 'lk.pii.message': 'seven' },
  msg: 'refused sk-1 and hunter2',
})}\n`;

test('what is said and the keys are left out, who it was and what happened are not', () => {
  expect(JSON.parse(discreet('info')(line))).toEqual({
    level: 30,
    'lk.pii.participant_identity': 'ada~1',
    job: {},
    msg: 'refused [redacted] and [redacted]',
  });
  expect(discreet('info')(line).endsWith('}\n')).toBe(true);
});

test('at debug what is said is there, and the keys are not', () => {
  expect(discreet('debug')(line)).toContain('my number is 7');
  expect(discreet('debug')(line)).not.toMatch(/sk-1|hunter2/);
});

test('what is no JSON is withheld if words of a call may be in it', () => {
  expect(discreet('info')('"lk.pii.message": seven')).not.toContain('seven');
  expect(discreet('info')('plain words\n')).toBe('plain words\n');
});
