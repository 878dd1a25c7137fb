import { EventEmitter } from 'node:events';
import { Degradation } from '../../../../app/server/hubs/degradation.ts';
import type { HubMember } from '../../../../app/server/hubs/member.ts';
import type { Backplane, BackplaneStatus, ShardState } from '../../../../app/server/redis/backplane.ts';
import { roomKeys } from '../../../../app/server/rooms/keys.ts';
import type { Frame } from '../../../../app/server/rooms/member.ts';

const format = { message: () => frame([]), event: (...said: unknown[]) => frame(said) };
const frame = (said: unknown[]) => ({ said, flush: () => undefined });

function memberNamed(id: string) {
  const heard: unknown[] = [];
  const member = {
    id,
    format,
    send: (...said: unknown[]) => heard.push(said),
    deliver: (sent: Frame) => heard.push((sent as ReturnType<typeof frame>).said),
  } as unknown as HubMember;
  return { member, heard };
}

function stage() {
  const ann = memberNamed('ann');
  const bob = memberNamed('bob');
  const away = new Set<string>();
  const state = { status: 'joined' as BackplaneStatus, joined: 3 };
  const backplane = Object.assign(new EventEmitter(), {
    isWhole: (key: string) => !away.has(key),
  }) as unknown as Backplane;
  Object.defineProperties(backplane, {
    status: { get: () => state.status },
    shards: {
      get: (): ShardState[] =>
        [1, 2, 3].map((n) => ({
          address: `${n}:1`,
          slots: 1,
          status: n <= state.joined ? 'joined' : 'away',
        })),
    },
  });
  const rooms = {
    view: () => [
      { name: 'here', members: new Set([ann.member, bob.member]), cursor: undefined },
      { name: 'there', members: new Set([ann.member]), cursor: undefined },
    ],
  };
  const members = new Map([ann, bob].map(({ member }) => [member.id, member]));
  const degradation = new Degradation({ hub: 'chat', deployment: 'd', backplane, members, rooms });
  const become = (status: BackplaneStatus, joined: number, ...lost: string[]) => {
    Object.assign(state, { status, joined });
    away.clear();
    for (const room of lost) away.add(roomKeys('d', 'chat', room).channel);
    backplane.emit('status', status);
  };
  return { ann, bob, degradation, become };
}

test('members of rooms on a lost shard hear of these rooms, and others of nothing', () => {
  const { ann, bob, become } = stage();
  become('degraded', 2, 'there');
  become('degraded', 2, 'there');
  expect(ann.heard).toEqual([['degraded', { degraded: true, rooms: ['there'] }]]);
  become('joined', 3);
  expect(ann.heard.slice(1)).toEqual([['degraded', { degraded: false, rooms: ['there'] }]]);
  expect(bob.heard).toEqual([]);
});

test('where all is away, all hear so once, and so does who comes', () => {
  const { bob, degradation, become } = stage();
  become('degraded', 0, 'here', 'there');
  become('degraded', 0, 'here', 'there');
  const late = memberNamed('late');
  degradation.greet(late.member);
  become('joined', 3);
  expect(bob.heard).toEqual([
    ['degraded', { degraded: true }],
    ['degraded', { degraded: false }],
  ]);
  expect(late.heard).toEqual([['degraded', { degraded: true }]]);
});
