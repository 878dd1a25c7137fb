import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type LiveKitApi, openLiveKitApi } from '../../../../app/server/livekit/api.ts';

/** What LiveKit's API does where a node or an agent has died, by the wire: Twirp's JSON. */

type Answer = object | { readonly status: number; readonly body: object };

const agentJob = { state: { participantIdentity: 'agent-1', startedAt: '1' } };
const agent = { sid: 'PA_2', identity: 'agent-1', kind: 'AGENT', joinedAt: '2' };
const ada = { sid: 'PA_1', identity: 'ada~1', joinedAt: '1', attributes: { subject: 'ada' } };
const noNode = { status: 503, body: { code: 'unavailable', msg: 'no response from servers' } };
/** Of a participant that does not offer the method: its process lives. */
const living = { status: 400, body: { code: 'failed_precondition', msg: '1400: Method not supported' } };

let server: Server;
let api: LiveKitApi;
let answers: Record<string, Answer>;
let asked: string[];
/** Bodies of these questions. */
let bodies: Record<string, unknown[]>;

beforeEach(async () => {
  asked = [];
  bodies = {};
  answers = {
    ListRooms: { rooms: [{ name: 'lobby', creationTime: '1' }] },
    ListDispatch: {
      agentDispatches: [{ id: 'AD_1', agentName: 'voice', state: { createdAt: '1', jobs: [agentJob] } }],
    },
    ListParticipants: { participants: [ada, agent] },
    PerformRpc: living,
    RemoveParticipant: {},
    DeleteDispatch: {},
    CreateDispatch: {},
  };
  server = createServer((request, response) => {
    const method = request.url?.split('/').at(-1) as string;
    asked.push(method);
    void json(request).then((body) => {
      bodies[method] = [...(bodies[method] ?? []), body];
    });
    const answer = answers[method] ?? { status: 404, body: { code: 'bad_route', msg: 'no such method' } };
    const { status, body } = 'status' in answer ? (answer as typeof noNode) : { status: 200, body: answer };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const access = { url: `ws://${host}`, apiUrl: `http://${host}`, apiKey: 'key', apiSecret: 'x'.repeat(40) };
  api = openLiveKitApi(access, 0);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const identities = async () => (await api.participants('lobby')).map(({ identity }) => identity);
const changes = () => asked.filter((method) => /^(Remove|Delete|Create)/.test(method));

/** What a node answers for an agent whose process is gone, for as long as it has not noticed. */
const dead = [
  ['does not answer', { status: 408, body: { code: 'deadline_exceeded', msg: 'connection timeout' } }],
  ['is not there any more', { status: 404, body: { code: 'not_found', msg: 'participant not found' } }],
  ['was on a node that died', noNode],
] as const;

describe('an agent that', () => {
  test('answers is there, and is not called again', async () => {
    expect(await identities()).toEqual(['ada~1', 'agent-1']);
    await api.callAgent('lobby', 'voice');
    expect(changes()).toEqual([]);
  });

  test.each(dead)('%s is not there, and another one is called in its place', async (_case, answer) => {
    answers.PerformRpc = answer;
    expect(await identities()).toEqual(['ada~1']);
    // Who only asks ends nothing: it may be slow.
    expect(changes()).toEqual([]);
    await api.callAgent('lobby', 'voice');
    expect(changes()).toEqual(['RemoveParticipant', 'DeleteDispatch', 'CreateDispatch']);
  });

  test.each([
    ['by a LiveKit that can not', { status: 404, body: { code: 'bad_route', msg: 'no handler' } }],
    ['for want of a grant', { status: 403, body: { code: 'permission_denied', msg: 'no' } }],
    ['while LiveKit fails', { status: 500, body: { code: 'internal', msg: 'oops' } }],
    ['by something else', { status: 200, body: [] }],
  ])('can not be asked %s counts as there', async (_case, answer) => {
    answers.PerformRpc = answer;
    expect(await identities()).toEqual(['ada~1', 'agent-1']);
  });

  test('was asked a moment ago is not asked by every page', async () => {
    await Promise.all(Array.from({ length: 20 }, identities));
    expect(asked.filter((method) => method === 'PerformRpc')).toHaveLength(1);
  });
});

test('called at the same time on several instances it comes once: everyone keeps the oldest call for it', async () => {
  const dispatch = (id: string, createdAt: string) => ({ id, agentName: 'voice', state: { createdAt } });
  const [own, older, newer] = [dispatch('AD_2', '20'), dispatch('AD_1', '10'), dispatch('AD_3', '20')];
  // Whoever asks before its own call is there sees none.
  const seen = () => (asked.includes('CreateDispatch') ? [newer, own, older] : []);
  answers.ListDispatch = {
    get agentDispatches() {
      return seen();
    },
  };
  await api.callAgent('lobby', 'voice');
  expect(changes()).toEqual(['CreateDispatch', 'DeleteDispatch', 'DeleteDispatch']);
  expect(bodies.DeleteDispatch).toMatchObject([{ dispatchId: 'AD_2' }, { dispatchId: 'AD_3' }]);
});

describe('a call whose nodes are all dead', () => {
  let alive: { ListDispatch: Answer };
  beforeEach(() => {
    alive = { ListDispatch: answers.ListDispatch as Answer };
    answers.ListDispatch = noNode;
  });

  test('has nobody in it, whatever its list says', async () => {
    expect(await identities()).toEqual([]);
    expect(await api.isHosted('lobby')).toBe(false);
    expect(asked).not.toContain('ListParticipants');
    expect(await api.calls()).toEqual([{ room: 'lobby', createdAt: 1 }]);
  });

  test('has nobody to be removed, and takes an agent', async () => {
    answers.RemoveParticipant = noNode;
    await api.remove('lobby', ({ subject }) => subject === 'ada');
    expect(changes()).toEqual(['RemoveParticipant']);
    await api.callAgent('lobby', 'voice');
    expect(changes().slice(1)).toEqual(['CreateDispatch']);
  });

  test('and that has just come to another node takes nobody for absent', async () => {
    const { ListDispatch } = alive;
    expect(await identities()).toEqual([]);
    answers.ListDispatch = ListDispatch;
    await api.remove('lobby', ({ subject }) => subject === 'ada');
    await api.callAgent('lobby', 'voice');
    // Who is denied is removed, and the agent that is there is not called a second time.
    expect(changes()).toEqual(['RemoveParticipant']);
  });
});

test.each([['ListRooms'], ['ListParticipants']])(
  'LiveKit that fails at %s is told as such, and never as an empty call',
  async (method) => {
    answers[method] = { status: 500, body: { code: 'internal', msg: 'its own text' } };
    await expect(api.participants('lobby')).rejects.toMatchObject({ statusCode: 503, code: 'unavailable' });
  },
);
