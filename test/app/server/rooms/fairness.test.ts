import { setImmediate as nextTurn } from 'node:timers/promises';
import { MemoryDenyList } from '../../../../app/server/deny-list/deny-list.ts';
import { Revocations } from '../../../../app/server/deny-list/revocations.ts';
import type { Member } from '../../../../app/server/rooms/member.ts';
import { MembershipEnforcement } from '../../../../app/server/rooms/membership/enforcement.ts';
import type { Room } from '../../../../app/server/rooms/room.ts';
import type { Rooms } from '../../../../app/server/rooms/rooms.ts';
import { eventually } from '../../../support/wait.ts';

/** Many are looked at, and whatever else waits has its turn meanwhile: turns are counted, and no time is. */

const many = 2_000;
const leastTurns = 5;

/** As long as it takes to say goodbye, or to ask. */
function beBusy(): void {
  const until = performance.now() + 0.1;
  while (performance.now() < until);
}

/** Counts the turns of the event loop from now on. */
function countTurns() {
  const counted = { turns: 0, isOver: false };
  const count = async () => {
    while (!counted.isOver) {
      await nextTurn();
      counted.turns += 1;
    }
  };
  void count();
  return counted;
}

test('a review of all memberships', async () => {
  let asked = 0;
  let turnsAtStart = 0;
  const counted = countTurns();
  const members = new Set(Array.from({ length: many }, () => ({}) as Member));
  const rooms = { all: () => [{ name: 'r', members } as unknown as Room<Member>] } as Rooms<Member>;
  const enforcement = new MembershipEnforcement({
    rooms,
    reviewEveryMs: 10,
    authorize: () => {
      if (asked === 0) turnsAtStart = counted.turns;
      asked += 1;
      beBusy();
      return {};
    },
  });
  await eventually('one review', () => asked >= many);
  enforcement.close();
  counted.isOver = true;
  expect(counted.turns - turnsAtStart).toBeGreaterThan(leastTurns);
});

test('a revocation that ends many connections', async () => {
  let ended = 0;
  let turnsAtStart = 0;
  const counted = countTurns();
  const client = {
    identity: { subject: 'mallory', guest: false },
    terminate: () => undefined,
    disconnect: () => {
      if (ended === 0) turnsAtStart = counted.turns;
      ended += 1;
      beBusy();
    },
  };
  const list = new MemoryDenyList();
  const revocations = new Revocations(list, () => Array(many).fill(client));
  await revocations.revoke({ subject: 'mallory' }, 60_000);
  await eventually('all to be ended', () => ended === many);
  counted.isOver = true;
  list.close();
  expect(counted.turns - turnsAtStart).toBeGreaterThan(leastTurns);
});
