import { io, type Socket } from 'socket.io-client';
import { environmentNames as names } from '../../app/names.ts';
import { freePort } from '../../lib/local/processes/ports.ts';
import { BridgedService } from '../app/server/bridges/bridged-service.ts';
import { eventually } from '../support/wait.ts';
import { describeWithPython, openVenv, PythonPeer } from './python.ts';

// The first run brings the packages.
jest.setTimeout(600_000);

/** Versions that speak differently to each other, and the newest. */
const versions = ['5.10.0', '5.13.0', '5.14.0', '5.15.1', '5.18.1'] as const;
const isAfter = (version: string, least: string) =>
  version.localeCompare(least, undefined, { numeric: true }) >= 0;

describeWithPython('python-socketio', () => {
  describe.each(versions)('%s', (version) => {
    let service: BridgedService;
    let interpreter: string;
    const opened: { stop?(): void; disconnect?(): unknown }[] = [];
    beforeAll(async () => {
      interpreter = await openVenv(version);
      service = await BridgedService.start({
        [names.pythonSocketio]: '/=emit,/bots=publish',
        [names.pythonSocketioVersion]: version,
      });
    });
    afterEach(() => {
      service?.leave();
      for (const each of opened.splice(0)) {
        each.stop?.();
        each.disconnect?.();
      }
    });
    afterAll(() => service?.stop());

    async function start(...words: readonly string[]): Promise<PythonPeer> {
      const peer = await PythonPeer.start(interpreter, ...words);
      opened.push(peer);
      return peer;
    }

    /** A server of Python's beside our instances, and a user of it. */
    async function startServer(): Promise<{ server: PythonPeer; user: Socket; heard: unknown[][] }> {
      const port = await freePort();
      const server = await start('server', service.redis.url, String(port));
      const user = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
      opened.push(user);
      const heard: unknown[][] = [];
      user.onAny((...all) => heard.push(all));
      expect(await user.emitWithAck('join', 'demo')).toBe('joined');
      return { server, user, heard };
    }

    test('users on both sides of one room talk', async () => {
      const [ada, bob] = [await service.connectTo('demo', 0), await service.connectTo('demo', 1)];
      const { user, heard } = await startServer();
      user.emit('say', { room: 'demo', text: 'from Python' });
      await eventually('ours to hear', () => ada.heard.length === 1 && bob.heard.length === 1);
      expect([ada.heard, bob.heard]).toEqual([
        [['said', { room: 'demo', text: 'from Python' }]],
        [['said', { room: 'demo', text: 'from Python' }]],
      ]);
      // Its subscription starts behind its first answer.
      await eventually('Python to hear', () => {
        ada.socket.emit('wave', { room: 'demo', text: 'from ours' });
        return heard.length > 0;
      });
      expect(heard[0]).toEqual(['wave', { room: 'demo', text: 'from ours' }]);
      await ada.socket.emitWithAck('publish', { room: 'demo', body: { text: 'kept' } });
      await service.publish('main', 'demo', 'from a backend');
      const messages = () => heard.filter(([event]) => event === 'message').map(([, message]) => message);
      await eventually('Python to hear messages', () => messages().length === 2);
      expect(messages()).toEqual([
        expect.objectContaining({ room: 'demo', body: { text: 'kept' }, from: expect.any(String) }),
        expect.objectContaining({ body: 'from a backend' }),
      ]);
      // What is said here is said to others here once: none of it comes back.
      await eventually(
        'bob to hear both',
        () => bob.heard.filter(([event]) => event === 'message').length === 2,
      );
      expect(ada.heard.filter(([event]) => event === 'wave')).toEqual([]);
    });

    test('its server asks a client of ours, has it enter a room, and disconnects it', async () => {
      const ada = service.connect(1);
      ada.socket.on('question', (given, acknowledge) => acknowledge(`${given}!`));
      await eventually('it to be connected', () => ada.socket.connected);
      const { server } = await startServer();
      const sid = ada.socket.id;
      await server.say({ event: 'question', data: 'well', room: sid, asks: true });
      await server.until('the answer', () => server.answers.length > 0);
      expect(server.answers).toEqual([['well!']]);
      await server.say({ enter: sid, room: 'club' });
      await eventually('it to be in the club', async () => {
        await server.say({ event: 'in', data: 1, room: 'club' });
        return ada.heard.some(([event]) => event === 'in');
      });
      const gone = new Promise((resolve) => ada.socket.once('disconnect', resolve));
      await server.say({ disconnect: sid });
      expect(await gone).toBe('io server disconnect');
    });

    test('what a write-only manager emits arrives as it is meant', async () => {
      const [ada, bob] = [await service.connectTo('one', 0), await service.connectTo('two', 1)];
      const publisher = await start('publisher', service.redis.url);
      const said: [data: unknown, args: unknown[]][] = [
        [{ a: [1, 2.5, null, true, 'ü'] }, [{ a: [1, 2.5, null, true, 'ü'] }]],
        ['text', ['text']],
        [[1, 2], [[1, 2]]],
        [null, []],
      ];
      // 5.14.0 itself writes no binary, and takes a tuple for a list.
      if (version !== '5.14.0') {
        said.push([{ $tuple: ['a', { b: 1 }] }, ['a', { b: 1 }]]);
        said.push([{ raw: { $bytes: 'AAH/' } }, [{ raw: Buffer.from([0, 1, 255]) }]]);
      }
      for (const [data] of said) await publisher.say({ event: 'e', data, room: ['one', 'two'] });
      await publisher.say({ event: 'e', data: 'skipped', skip_sid: ada.socket.id });
      await publisher.say({ event: 'end', data: null });
      await eventually('the end', () => [ada, bob].every(({ heard }) => heard.at(-1)?.[0] === 'end'));
      const events = said.map(([, args]) => ['e', ...args]);
      expect(ada.heard).toEqual([...events, ['end']]);
      expect(bob.heard).toEqual([...events, ['e', 'skipped'], ['end']]);
    });

    test('what it emits to a room goes into the log', async () => {
      const publisher = await start('publisher', service.redis.url);
      for (let n = 1; n <= 10; n += 1) {
        await publisher.say({ event: 'price', data: { n }, room: 'btc', namespace: '/bots' });
      }
      const late = service.connect(0, '/bots');
      let bodies: unknown[] = [];
      await eventually('the log to have it', async () => {
        bodies = await late.bodiesIn('btc');
        return bodies.length >= 10;
      });
      expect(bodies).toEqual(
        Array.from({ length: 10 }, (_, n) => ({ event: 'price', args: [{ n: n + 1 }] })),
      );
    });

    test('its own client is a client of ours', async () => {
      const ada = await service.connectTo('demo', 0);
      const client = await start('client', service.instances[1]?.url as string);
      await client.say({ emit: ['join', { room: 'demo' }], asks: true });
      await client.say({ emit: ['publish', { room: 'demo', body: 'from Python' }], asks: true });
      expect(client.answers).toEqual([
        expect.objectContaining({ ok: true }),
        expect.objectContaining({ ok: true, offset: expect.any(Number) }),
      ]);
      await client.say({ emit: ['drawn', { room: 'demo' }, 'two', { $bytes: 'AAH/' }] });
      await eventually('ours to hear', () => ada.heard.some(([event]) => event === 'drawn'));
      expect(ada.heard.find(([event]) => event === 'drawn')).toEqual([
        ...['drawn', { room: 'demo' }, 'two', Buffer.from([0, 1, 255])],
      ]);
      ada.socket.emit('wave', { room: 'demo' }, [1], Buffer.from('hi'));
      await client.until('it to hear', () => client.heard.some(([event]) => event === 'wave'));
      expect(client.heard.find(([event]) => event === 'wave')).toEqual([
        ...['wave', { room: 'demo' }, [1], { $bytes: 'aGk=' }],
      ]);
      expect(client.heard.filter(([event]) => event === 'message')).toHaveLength(1);
    });

    if (isAfter(version, '5.15.1')) {
      test('several arguments and lists reach its users as they are', async () => {
        const ada = await service.connectTo('demo', 0);
        const { heard } = await startServer();
        await eventually('Python to hear', () => {
          ada.socket.emit('args', { room: 'demo' }, [1, 2], Buffer.from('hi'));
          return heard.length > 0;
        });
        expect(heard[0]).toEqual(['args', { room: 'demo' }, [1, 2], Buffer.from('hi')]);
      });
    }
  });
});
