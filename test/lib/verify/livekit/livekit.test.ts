import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Topology } from '../../../../lib/local/topology.ts';
import { CheckFailure, NotProvedError } from '../../../../lib/verify/check.ts';
import { callToken } from '../../../../lib/verify/livekit/call.ts';
import { neverBack } from '../../../../lib/verify/livekit/killed-node.ts';
import { unequal } from '../../../../lib/verify/livekit/nodes.ts';
import { loadParticipants } from '../../../../lib/verify/livekit/participant.ts';
import { neverMet, notAllArrived } from '../../../../lib/verify/livekit/room.ts';
import { checkNames } from '../../../../lib/verify/registry.ts';
import { leftOutOf } from '../../../../lib/verify/verify.ts';
import { describeWithLiveKit, liveKitBinary } from '../../../livekit/support/livekit-server.ts';
import { endCalls } from '../../../livekit/support/participant.ts';
import { redisBinary } from '../../../support/redis/redis.ts';
import { resultsOf, runVerify, stateFolder } from '../run-verify.ts';

describeWithLiveKit('verify with LiveKit', () => {
  const folder = stateFolder();
  let topology: Topology;

  beforeAll(async () => {
    topology = new Topology({
      instances: 1,
      port: 0,
      redisBinary,
      liveKit: { binary: liveKitBinary as string, nodes: 2, agent: false },
      environment: { PATH: process.env.PATH },
      folder: folder.path,
      print: () => undefined,
    });
    await topology.start();
  });

  afterAll(async () => {
    await topology.stop();
    folder.remove();
    await endCalls();
  });

  test('nodes counted, one room through all of them, a killed node', async () => {
    const words = ['--json', '--messages', '10', '--only', 'livekit-nodes,livekit-room,livekit-killed-node'];
    const outcome = await runVerify(words, { stateFolder: folder.path });
    expect(resultsOf(outcome)).toMatchObject({
      'livekit-nodes': { proved: '2 nodes in Redis with fresh statistics, and as many run' },
      // Each of the three sides hears the 10 messages of the two others.
      'livekit-room': {
        proved: expect.stringMatching(
          /^one room joined through livekit-1, livekit-2 and the service's LIVEKIT_URL; 60 of 60 reliable messages, in order; a tone arrived at 2 sides/,
        ),
      },
      'livekit-killed-node': {
        proved: expect.stringMatching(/^livekit-[12] had the call and was killed; .* again [\d.]+ s later/),
      },
    });
    expect(outcome.code).toBe(0);
    const nodes = topology.status().processes.filter(({ kind }) => kind === 'livekit');
    expect(nodes).toMatchObject([{ health: 'healthy' }, { health: 'healthy' }]);
  });
});

describe('without LiveKit', () => {
  const answering = async (status: number, run: (url: string) => Promise<void>) => {
    const server = createServer((_request, response) => response.writeHead(status).end('{"reason":"why"}'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    } finally {
      server.close();
    }
  };

  test('its checks are left out, and not proved with the reason where they are named', () =>
    answering(404, async (url) => {
      const all = await leftOutOf({ url }, checkNames);
      expect(all).toEqual({
        names: ['livekit-nodes', 'livekit-room', 'livekit-killed-node'],
        reason: 'no media server: its checks are left out',
      });
      expect(await leftOutOf({ url }, ['livekit-room'])).toBeUndefined();
      await expect(callToken(url, undefined, 'verify-1')).rejects.toThrow(NotProvedError);
    }));

  test('a service that gives no token fails, in its own words', () =>
    answering(403, async (url) => {
      expect(await leftOutOf({ url }, checkNames)).toBeUndefined();
      await expect(callToken(url, undefined, 'verify-1')).rejects.toThrow(CheckFailure);
      await expect(callToken(url, undefined, 'verify-1')).rejects.toThrow('403 {"reason":"why"}');
    }));

  test('without the participants’ library it is not proved, with the reason', async () => {
    const absent = loadParticipants(() => Promise.reject(new Error('Cannot find package')));
    await expect(absent).rejects.toThrow(
      'no participant can be played here: @livekit/rtc-node is not to be had (Cannot find package)',
    );
  });
});

test('causes', () => {
  expect(unequal(1, 2)).toMatchObject({
    found: '2 nodes run and 1 said in Redis within the last 5 s that they live',
    cause: expect.stringContaining('a node runs alone'),
  });
  expect(unequal(3, 2).cause).toContain('another environment');
  expect(neverMet([{ from: 'livekit-1', to: 'livekit-2' }], 5_000)).toMatchObject({
    found: 'data did not come through within 5 s: livekit-1 to livekit-2',
    cause: expect.stringContaining('do not share one Redis'),
  });
  expect(notAllArrived(3, 4, false).found).toBe('3 of 4 reliable messages arrived, not in order');
  expect(neverBack({ id: 'livekit-1' }, false, 7, 30_000).found).toBe(
    '30 s after livekit-1 was killed the call was not back: data did not, 7 audible frames came',
  );
});
