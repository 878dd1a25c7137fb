import { randomUUID } from 'node:crypto';
import { type Breaks, openBrokenHub } from './broken-hub.ts';
import { resultsOf, runVerify, stateFolder } from './run-verify.ts';

const folder = stateFolder();
afterAll(() => folder.remove());

/** Runs one check against a service of one instance. */
async function check(name: string, breaks: Breaks) {
  const { url, close } = await openBrokenHub(breaks);
  try {
    const words = ['--json', '--clients', '2', '--messages', '5', '--timeout', '10', '--instances', '1'];
    const outcome = await runVerify([...words, '--url', url, '--only', name], { stateFolder: folder.path });
    return resultsOf(outcome)[name];
  } finally {
    await close();
  }
}

test.each(['delivery', 'gap-detection', 'repeated-id', 'recovery'])(
  '%s holds where nothing is broken',
  async (name) => {
    expect(await check(name, {})).toMatchObject({ status: 'passed' });
  },
);

const broken: readonly (Breaks & {
  what: string;
  name: string;
  found: RegExp;
  cause: RegExp;
  fix: RegExp;
})[] = [
  {
    what: 'publishes that are all acknowledged at one offset',
    publish: ({ epoch }) => ({ epoch, offset: 1 }),
    name: 'delivery',
    found: /^20 of 20 deliveries arrived: 9 acknowledged at another position than they were heard at$/,
    cause: /a position that their message does not have/,
    fix: /that its append to the log returned/,
  },
  {
    what: 'an unknown epoch that passes for a good one',
    join: ({ lost: _lost, ...answer }) => ({ ...answer, recovered: true }),
    name: 'gap-detection',
    found: /^6 of 10 joins answered wrongly; an unknown epoch at only: recovered: true; a position ahead/,
    cause: /clients miss messages unsaid/,
    fix: /answer `recovered: false` unless the epoch/,
  },
  {
    what: 'an acknowledged publish that is gone, unsaid',
    join: ({ lost: _lost, ...answer }) => answer,
    name: 'gap-detection',
    found: /^2 of 10 joins .* ahead of the log at only: recovered: false without lost.acked$/,
    cause: /clients miss messages unsaid/,
    fix: /recovered: false/,
  },
  {
    what: 'positions that are never served',
    join: (answer, { since }) => (since ? { ...answer, recovered: false, messages: [] } : answer),
    name: 'gap-detection',
    found:
      /^4 of 10 joins answered wrongly; a position 3 back at only: recovered: false; the newest position/,
    cause: /the log no longer held what the clients had missed/,
    fix: /maxLength/,
  },
  {
    what: 'a recovery that leaves the newest message out',
    join: (answer, { since }) => (since ? { ...answer, messages: answer.messages.slice(0, -1) } : answer),
    name: 'recovery',
    found:
      /^3 clients cut off \(back to where they were 3 times\): 17 of 20 deliveries arrived: 3 lost; only to only lost 3 of 20$/,
    cause: /answered `recovered: true` without all that it missed/,
    fix: /or with `recovered: false`/,
  },
  {
    what: 'a recovery that gives up',
    join: (answer, { since }) => (since ? { ...answer, recovered: false, messages: [] } : answer),
    name: 'recovery',
    found: /^3 clients cut off .*: 5 of 20 deliveries arrived: 15 lost and 3 losses told to clients/,
    cause: /its bounds are too small, or Redis lost writes/,
    fix: /raise the rooms' maxLength/,
  },
  {
    what: 'a sender that is another one at each connection',
    subjectOf: ({ id }) => id,
    name: 'repeated-id',
    found:
      /^4 of 4 repeats after coming back got a position of their own and 20 deliveries were heard instead of 12$/,
    cause: /taken for another sender/,
    fix: /let `subjectOf` name the user/,
  },
  {
    what: 'senders that are all the same',
    subjectOf: () => 'everyone',
    name: 'repeated-id',
    found: /^5 messages of different senders share 3 positions and 8 deliveries were heard instead of 12$/,
    cause: /one can make the message of another disappear/,
    fix: /the sender's subject/,
  },
  {
    what: 'ids that are not looked up',
    subjectOf: () => randomUUID(),
    name: 'repeated-id',
    found:
      /^8 of 8 repeats on the same connection got a position of their own, 4 of 4 repeats after coming back/,
    cause: /the ids of publishes are not looked up/,
    fix: /in the one script that appends/,
  },
];

test.each(broken)(
  '$what: $name fails and names the cause',
  async ({ name, found, cause, fix, what: _, ...breaks }) => {
    const result = await check(name, breaks);
    expect(result).toMatchObject({
      status: 'failed',
      found: expect.stringMatching(found),
      cause: expect.stringMatching(cause),
      fix: expect.stringMatching(fix),
    });
  },
);
