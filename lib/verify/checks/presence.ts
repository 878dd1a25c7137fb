import type { Check } from '../check.ts';
import { PresenceWatch } from '../presence-watch.ts';
import { count, duration } from '../words.ts';

export const presence: Check<PresenceWatch> = {
  name: 'presence',
  title: 'Everyone sees who is in a room, and who left it, on whichever instance',
  needs: [],
  // A leave is told late, by design: that takes no time of its own beside the other checks.
  begin: (context) => new PresenceWatch(context),
  run: async (context, begun = new PresenceWatch(context)) => {
    const { instances, members, users, watchers, gone, toldAfterMs, sinceMs, move } = await begun.sum();
    begun.close();
    const all = `${count(members, 'client')}${users < members ? ` of ${count(users, 'user')}` : ''}`;
    const told = `${count(gone, 'user')} that went told to all ${watchers} within ${duration(toldAfterMs)}`;
    return {
      proved: [
        `${all} on ${count(instances, 'instance')} see one another`,
        ...(gone > 0 ? [told] : [`one whose other clients stay not told as left for ${duration(sinceMs)}`]),
        ...(move === undefined ? [] : [`one that moved (${move}) not told as left`]),
      ].join('; '),
      notProved: [
        ...(gone > 0 ? [] : ['that a leave is told: the token given makes all clients one user']),
        ...(move === undefined ? ['that a move to another instance is not told: there is one'] : []),
      ],
    };
  },
};
