import { authorizeBy } from '../../../../app/server/hubs/authorize.ts';
import { defineHub } from '../../../../app/server/hubs/define.ts';
import type { HubMember } from '../../../../app/server/hubs/member.ts';

test('an authorize that replies with a query of a database is waited for, as with a promise', async () => {
  /** As query builders have it: it can be waited for, and is no promise. */
  class Query {
    // biome-ignore lint/suspicious/noThenProperty: that is what it is tried with
    then: Promise<undefined>['then'] = (...listeners) => Promise.resolve(undefined).then(...listeners);
  }
  const closed = defineHub({ name: 'closed', authorize: () => new Query() as unknown as Promise<undefined> });
  const identity = { subject: 'ann', guest: false, rooms: [{ room: 'closed/*', from: 5 }] };
  const member = { identity } as unknown as HubMember;
  expect(await authorizeBy(closed)(member, 'join', 'a')).toBeUndefined();
});
