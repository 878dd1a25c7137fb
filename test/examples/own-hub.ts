import { z } from 'zod';
import { defineHub, method } from '../../app/server/hubs/define.ts';
import { RpcError } from '../../app/server/rooms/rpc.ts';

/** A hub of one's own: tasks of teams, for clients of Socket.IO (`/tasks`) and SignalR (`/taskhub`). */
export const tasks = defineHub({
  name: 'tasks',
  path: '/taskhub',
  events: { hello: z.object({ name: z.string() }), assigned: z.object({ task: z.string() }) },
  rateLimits: { assign: { burst: 20, perSecond: 0.1 } },
  session: { assigned: z.string() },
  onConnect: async (call) => {
    if (call.identity.subject === 'nobody') throw new RpcError('forbidden', 'you are in no team');
    call.send('hello', { name: call.identity.subject });
    await call.join('everyone');
  },
  methods: {
    assign: method(z.object({ task: z.string(), to: z.string() }), async (call, { task, to }) => {
      call.limit('assign');
      await call.session.set('assigned', task);
      call.sendToUser(to, 'assigned', { task });
      await call.cache.set('latest', task, 60_000);
      return call.publish('everyone', { task, to });
    }),
    latest: method(z.object({}), async (call) => {
      call.broadcast('everyone', 'hello', { name: 'someone' }, { exceptCaller: true });
      return { task: await call.cache.get('latest') };
    }),
    mine: method(z.object({}), async (call) => ({ task: await call.session.get('assigned') })),
    leave_team: method(z.object({}), async (call) => {
      await call.leave('everyone');
      return {};
    }),
  },
});
