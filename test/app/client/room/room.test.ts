import { setTimeout as delay } from 'node:timers/promises';
import { type ClientHub, openHub } from '../../../../app/client/hub.ts';
import type { HubError } from '../../../../app/client/requests/errors.ts';
import type { ClientRoom, JoinOptions } from '../../../../app/client/room/room.ts';
import type { Acknowledgement, JoinReply, Lost, Position } from '../../../../app/protocol/hub.ts';
import {
  at,
  errorReply,
  joined,
  message,
  openScriptedHub,
  type ScriptedHub,
} from '../../../support/servers/scripted-hub.ts';
import { eventually } from '../../../support/wait.ts';

let server: ScriptedHub;
let hub: ClientHub<number>;
beforeEach(async () => {
  server = await openScriptedHub();
  hub = openHub<number>(server.url, 'chat', {
    transports: ['websocket'],
    reconnectionDelay: 10,
    forceNew: true,
  });
});
afterEach(async () => {
  hub.close();
  await server.close();
});

/** All that a room's handlers got, in order. */
interface Heard {
  readonly heard: (number | { lost: Lost } | { refused: string })[];
  readonly room: ClientRoom<number>;
}

function join(options: JoinOptions = {}): Heard {
  const heard: Heard['heard'] = [];
  const handlers = {
    onMessage: ({ body }: { body: number }) => void heard.push(body),
    onLost: (lost: Lost) => void heard.push({ lost }),
    onRefused: ({ code }: HubError) => void heard.push({ refused: code }),
  };
  return { heard, room: hub.join('r', handlers, options) };
}

async function joinAt(offset: number): Promise<Heard> {
  server.onJoin = () => joined(offset);
  const heard = join();
  await heard.room.joined;
  return heard;
}

/** Answers one after another; the last one stays. */
function inTurn<T>(...answers: (Acknowledgement<T> | undefined)[]): () => Acknowledgement<T> | undefined {
  let next = 0;
  return () => answers[Math.min(next++, answers.length - 1)];
}

describe('publish', () => {
  test('is tried again with the same id until it is answered', async () => {
    const { room } = await joinAt(0);
    server.onPublish = inTurn<Position>(errorReply('refused'), errorReply('uncertain'), {
      ok: true,
      ...at(7),
    });
    expect(await room.publish(1)).toEqual(at(7));
    expect(server.publishes).toHaveLength(3);
    expect(new Set(server.publishes.map(({ id }) => id)).size).toBe(1);
    expect(server.publishes[0]?.id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('goes on with the same id over a lost connection', async () => {
    const { room } = await joinAt(0);
    server.onPublish = (_request, socket) => {
      if (server.publishes.length > 1) return { ok: true, ...at(1) };
      socket.conn.close();
      return undefined;
    };
    expect(await room.publish(1, { id: 'mine' })).toEqual(at(1));
    expect(server.publishes.map(({ id }) => id)).toEqual(['mine', 'mine']);
  });

  test('waits for a connection, and sends once', async () => {
    const { room } = await joinAt(0);
    hub.socket.disconnect();
    const publishing = room.publish(1);
    await delay(150);
    expect(server.publishes).toHaveLength(0);
    hub.socket.connect();
    await publishing;
    expect(server.publishes).toHaveLength(1);
  });

  test('is `refused` after its time when no try can have been written', async () => {
    const { room } = await joinAt(0);
    server.onPublish = () => errorReply('refused');
    await expect(room.publish(1, { forMs: 200 })).rejects.toMatchObject({ code: 'refused' });
    expect(server.publishes.length).toBeGreaterThan(1);
  });

  test('is `uncertain` after its time when one try may have been, whatever the later ones were', async () => {
    const { room } = await joinAt(0);
    server.onPublish = inTurn<Position>(errorReply('uncertain'), errorReply('refused'));
    await expect(room.publish(1, { forMs: 200 })).rejects.toMatchObject({ code: 'uncertain' });
  });

  test('is `uncertain` when the connection ended over it and did not come back', async () => {
    const { room } = await joinAt(0);
    server.onPublish = () => {
      hub.socket.disconnect();
      return undefined;
    };
    await expect(room.publish(1, { forMs: 100 })).rejects.toMatchObject({ code: 'uncertain' });
  });

  test.each(['forbidden', 'bad_request', 'internal'] as const)(
    'is not tried again after `%s`',
    async (code) => {
      const { room } = await joinAt(0);
      server.onPublish = () => errorReply(code);
      await expect(room.publish(1)).rejects.toMatchObject({ code });
      expect(server.publishes).toHaveLength(1);
    },
  );
});

describe('joining', () => {
  test('without a position is from now on; the answer is the position', async () => {
    const { room, heard } = await joinAt(12);
    expect(server.joins).toEqual([{ room: 'r' }]);
    expect(room.position).toEqual(at(12));
    expect(heard).toEqual([]);
  });

  test('with a kept position gives what came after it', async () => {
    server.onJoin = () => joined(6, { messages: [message(5), message(6)] });
    const { room, heard } = join({ since: at(4) });
    await room.joined;
    expect(server.joins[0]).toEqual({ room: 'r', since: at(4) });
    expect(heard).toEqual([5, 6]);
  });

  test('holds live messages until the answer is there: each once, in order', async () => {
    server.onJoin = async (_request, socket) => {
      for (const offset of [3, 4, 5]) socket.emit('message', message(offset));
      await delay(50);
      socket.emit('message', message(6));
      return joined(4, { messages: [message(2), message(3), message(4)] });
    };
    const { room, heard } = join({ since: at(1) });
    await room.joined;
    expect(heard).toEqual([2, 3, 4, 5, 6]);
    expect(server.joins).toHaveLength(1);
  });

  test('asks page by page from what it delivered, and has joined behind the last', async () => {
    server.onJoin = inTurn<JoinReply>(
      joined(2, { messages: [message(1), message(2)], more: true }),
      joined(4, { messages: [message(3), message(4)], more: true }),
      joined(5, { messages: [message(5)] }),
    );
    const { room, heard } = join({ since: at(0) });
    await room.joined;
    expect(heard).toEqual([1, 2, 3, 4, 5]);
    expect(server.joins.map(({ since }) => since?.offset)).toEqual([0, 2, 4]);
  });

  test('is tried again while the room is `unavailable`', async () => {
    server.onJoin = inTurn<JoinReply>(errorReply('unavailable'), errorReply('unavailable'), joined(1));
    const { room, heard } = join();
    await room.joined;
    expect(server.joins).toHaveLength(3);
    expect(heard).toEqual([]);
  });

  test('that is forbidden is reported once, and not tried again', async () => {
    server.onJoin = () => errorReply('forbidden');
    const { room, heard } = join();
    await expect(room.joined).rejects.toMatchObject({ code: 'forbidden' });
    await delay(100);
    expect(heard).toEqual([{ refused: 'forbidden' }]);
    expect(server.joins).toHaveLength(1);
  });

  test('again replaces the handlers', async () => {
    const first = await joinAt(1);
    const second = await joinAt(1);
    server.emit('message', message(2));
    await eventually('the message', () => second.heard.length > 0);
    expect([first.heard, second.heard]).toEqual([[], [2]]);
  });
});

describe('in a room', () => {
  test('each message is delivered once and in order', async () => {
    const { heard } = await joinAt(1);
    for (const offset of [1, 2, 2, 3, 1, 4]) server.emit('message', message(offset));
    await eventually('the last', () => heard.includes(4));
    expect(heard).toEqual([2, 3, 4]);
    expect(server.joins).toHaveLength(1);
  });

  test('a jump is filled from the log', async () => {
    const { heard } = await joinAt(1);
    server.onJoin = () => joined(5, { messages: [2, 3, 4, 5].map((offset) => message(offset)) });
    server.emit('message', message(5));
    server.emit('message', message(6));
    await eventually('the last', () => heard.includes(6));
    expect(heard).toEqual([2, 3, 4, 5, 6]);
    expect(server.joins.at(-1)).toEqual({ room: 'r', since: at(1) });
  });

  test('a jump that the answer does not reach is asked for again', async () => {
    const { heard } = await joinAt(1);
    server.onJoin = inTurn<JoinReply>(
      joined(2, { messages: [message(2)] }),
      joined(5, { messages: [3, 4, 5].map((offset) => message(offset)) }),
    );
    server.emit('message', message(5));
    await eventually('the last', () => heard.includes(5));
    expect(heard).toEqual([2, 3, 4, 5]);
    expect(server.joins.map(({ since }) => since?.offset)).toEqual([undefined, 1, 2]);
  });

  test('what is lost is reported before what comes after it', async () => {
    const { heard } = await joinAt(1);
    server.onJoin = () =>
      joined(9, { recovered: false, lost: { messages: 6 }, messages: [message(8), message(9)] });
    server.emit('message', message(9));
    await eventually('the last', () => heard.includes(9));
    expect(heard).toEqual([{ lost: { messages: 6 } }, 8, 9]);
  });

  test('a `gap` of the instance: the log is asked, with the position and what was acknowledged', async () => {
    const { room, heard } = await joinAt(3);
    server.onPublish = () => ({ ok: true, ...at(4) });
    await room.publish(1);
    server.onJoin = () => joined(2, { recovered: false, lost: { messages: 1, acked: true } });
    server.emit('gap', { room: 'r', ...at(2), lost: 1 });
    await eventually('the loss', () => heard.length > 0);
    expect(server.joins.at(-1)).toEqual({ room: 'r', since: at(3), acked: at(4) });
    expect(heard).toEqual([{ lost: { messages: 1, acked: true } }]);
    expect(room.position).toEqual(at(2));
  });

  test('what was delivered and then lost is not delivered again by an instance that knows of no loss', async () => {
    const { heard, room } = await joinAt(1);
    server.emit('message', message(2));
    server.emit('message', message(3));
    await eventually('the messages', () => heard.includes(3));
    server.onJoin = inTurn<JoinReply>(
      joined(1, { recovered: false, lost: { messages: 2 } }),
      joined(3, { messages: [message(2), message(3)] }),
    );
    server.emit('gap', { room: 'r', ...at(1), lost: 2 });
    await eventually('the loss', () => heard.length > 2);
    server.cut();
    await eventually('the join', () => room.position?.offset === 3);
    server.emit('message', message(4));
    await eventually('the next message', () => heard.includes(4));
    expect(heard).toEqual([2, 3, { lost: { messages: 2 } }, 4]);
  });

  test('what was passed over in an epoch is not delivered behind what came after it, on the way back from another one', async () => {
    const { heard } = await joinAt(15);
    server.emit('message', message(16));
    server.emit('message', message(17));
    await eventually('both', () => heard.length === 2);
    // An instance that serves alone, with a log of its own; then it shares the others' again.
    const other = { epoch: 'M', offset: 3, recovered: false, lost: {} };
    server.onJoin = () => joined(3, other);
    server.emit('gap', { room: 'r', ...at(3, 'M') });
    await eventually('the loss', () => heard.length === 3);
    server.emit('message', message(4, { epoch: 'M', id: 'alone' }));
    await eventually('what was said alone', () => heard.includes(4));
    const all = [14, 15, 16, 17, 18].map((offset) => message(offset));
    server.onJoin = () => joined(18, { recovered: false, lost: {}, messages: all });
    server.emit('gap', { room: 'r', ...at(18) });
    await eventually('what is new', () => heard.includes(18));
    expect(heard).toEqual([16, 17, { lost: {} }, 4, { lost: {} }, 18]);
  });

  test('what a sender repeats behind a loss is not delivered twice, replayed or live', async () => {
    const { heard, room } = await joinAt(1);
    for (const offset of [2, 3]) server.emit('message', message(offset));
    await eventually('the messages', () => heard.includes(3));
    // The log lost both; their sender had no reply, and says them again.
    const again = (offset: number, id: number, more = {}) =>
      message(offset, { epoch: 'E2', id: `id ${id}`, body: id, ...more });
    server.onJoin = () =>
      joined(2, { epoch: 'E2', recovered: false, lost: { messages: 2 }, messages: [again(2, 3)] });
    server.emit('gap', { room: 'r', ...at(1), lost: 2 });
    await eventually('the loss', () => heard.length > 2);
    server.emit('message', again(3, 2));
    // The same id of another sender, and of the same one behind the time for which an id stands, are others.
    server.emit('message', again(4, 2, { from: 'ben', body: 'of ben' }));
    server.emit('message', again(5, 3, { at: 120_000, body: 'later' }));
    await eventually('the last', () => heard.length > 4);
    expect(heard).toEqual([2, 3, { lost: { messages: 2 } }, 'of ben', 'later']);
    expect(room.position).toEqual(at(5, 'E2'));
  });

  test('a new epoch that starts where this client is costs no join', async () => {
    const { heard } = await joinAt(3);
    server.emit('message', message(4, { epoch: 'E2', prev: at(3) }));
    server.emit('message', message(5, { epoch: 'E2' }));
    await eventually('the last', () => heard.includes(5));
    expect(heard).toEqual([4, 5]);
    expect(server.joins).toHaveLength(1);
  });

  test('an answer from another epoch than the position asks the log what became of it', async () => {
    const { room, heard } = await joinAt(3);
    server.emit('message', message(4, { epoch: 'E2', prev: at(3) }));
    await eventually('the message', () => heard.length > 0);
    server.onJoin = () => joined(4, { epoch: 'E2', recovered: false, lost: { acked: true } });
    // Written before the failover, and answered after the first message behind it.
    server.onPublish = () => ({ ok: true, ...at(5) });
    await room.publish(1);
    await eventually('the loss', () => heard.length > 1);
    expect(server.joins.at(-1)).toEqual({ room: 'r', since: at(4, 'E2'), acked: at(5) });
    expect(heard).toEqual([4, { lost: { acked: true } }]);
  });

  test('after a reconnect it goes on from what it delivered last, not from what was acknowledged', async () => {
    const { room, heard } = await joinAt(1);
    server.emit('message', message(2));
    await eventually('the message', () => heard.length > 0);
    server.onPublish = () => ({ ok: true, ...at(4) });
    await room.publish(1);
    server.onJoin = () => joined(4, { messages: [message(3), message(4)] });
    server.cut();
    await eventually('what was missed', () => heard.includes(4));
    expect(server.joins.at(-1)).toEqual({ room: 'r', since: at(2), acked: at(4) });
    expect(heard).toEqual([2, 3, 4]);
  });
});

describe('leaving', () => {
  test('ends the messages, and notifies the service', async () => {
    const { heard } = await joinAt(1);
    hub.leave('r');
    server.emit('message', message(2));
    await eventually('the leave', () => server.leaves.length > 0);
    await delay(50);
    expect(server.leaves).toEqual(['r']);
    expect(heard).toEqual([]);
  });

  test('during a join delivers nothing of it', async () => {
    let answer: (() => void) | undefined;
    server.onJoin = (_request, socket) =>
      new Promise((resolve) => {
        socket.emit('message', message(3));
        answer = () => resolve(joined(2, { messages: [message(2)] }));
      });
    const { heard } = join({ since: at(1) });
    await eventually('the join', () => answer !== undefined);
    hub.leave('r');
    answer?.();
    await delay(100);
    expect(heard).toEqual([]);
  });

  test('a reconnect joins the rooms that were not left', async () => {
    await joinAt(1);
    hub.join('stays', { onMessage: () => undefined });
    await eventually('both joins', () => server.joins.length === 2);
    hub.leave('r');
    server.cut();
    await eventually('the join', () => server.joins.length === 3);
    await delay(50);
    expect(server.joins.slice(2).map(({ room }) => room)).toEqual(['stays']);
  });
});

describe('looking back', () => {
  test('what was said lately comes first, and what is said meanwhile behind it', async () => {
    server.onJoin = ({ since }) => {
      if (!since) return joined(40);
      server.emit('message', message(41));
      return joined(41, { messages: [message(39), message(40), message(41)] });
    };
    const { heard, room } = join({ recent: 2 });
    await room.joined;
    server.emit('message', message(42));
    await eventually('the live one', () => heard.length === 4);
    expect(heard).toEqual([39, 40, 41, 42]);
    expect(server.joins.map(({ since }) => since)).toEqual([undefined, at(38)]);
  });

  test('a log that reaches less far is no loss, a later one is', async () => {
    server.onJoin = ({ since }) =>
      since ? joined(40, { recovered: false, lost: { messages: 7 }, messages: [message(40)] }) : joined(40);
    const { heard, room } = join({ recent: 50 });
    await room.joined;
    expect(heard).toEqual([40]);
    expect(server.joins[1]?.since).toEqual(at(0));
    server.onJoin = () => joined(60, { recovered: false, lost: { messages: 20 } });
    server.cut();
    await eventually('the loss', () => heard.length === 2);
    expect(heard[1]).toEqual({ lost: { messages: 20 } });
  });

  test('what this client was acknowledged before it had joined, and is gone, is told all the same', async () => {
    server.onJoin = () => errorReply('unavailable');
    server.onPublish = () => ({ ok: true, ...at(45) });
    const { heard, room } = join({ recent: 50 });
    await room.publish(1);
    server.onJoin = ({ since, acked }) => {
      const lost = { messages: 7, ...(acked && { acked: true as const }) };
      return since ? joined(40, { recovered: false, lost, messages: [message(40)] }) : joined(40);
    };
    await room.joined;
    expect(server.joins.at(-1)).toMatchObject({ since: at(0), acked: at(45) });
    expect(heard).toEqual([{ lost: { acked: true } }, 40]);
  });
});
