import { io, type Socket } from 'socket.io-client';
import { environmentNames } from '../../../../app/names.ts';
import { signToken, type TokenClaims } from '../../../../app/server/auth/hmac.ts';
import { startInstance, type TestInstance } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';

const secret = 'a secret of thirty-two characters';
const inAnHour = Math.floor(Date.now() / 1000) + 3_600;
let instance: TestInstance;
const sockets: Socket[] = [];

beforeAll(async () => {
  instance = await startInstance('authenticated', { [environmentNames.authSecret]: secret });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});
afterAll(() => instance.kill('SIGKILL'));

const tokenOf = (claims: Partial<TokenClaims>) => signToken({ sub: 'ada', exp: inAnHour, ...claims }, secret);

function connect(hub: string, token?: string): Socket {
  const socket = io(`${instance.url}/${hub}`, { forceNew: true, auth: token === undefined ? {} : { token } });
  sockets.push(socket);
  return socket;
}

/** @returns the code with which the handshake was refused */
function refusal(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('connect', () => reject(new Error('it was let in')));
    socket.once('connect_error', (error) =>
      resolve((error as unknown as { data: { code: string } }).data?.code),
    );
  });
}

test.each(['chat', 'llm', 'bots', 'backtests'])(
  'the hub %s takes nobody without a valid token',
  async (hub) => {
    expect(await refusal(connect(hub))).toBe('missing');
    expect(await refusal(connect(hub, 'x'))).toBe('invalid');
    expect(await refusal(connect(hub, tokenOf({ exp: 1 })))).toBe('expired');
    const socket = connect(hub, tokenOf({}));
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
  },
);

test('messages are from who the token says, whatever a client says of itself', async () => {
  const socket = connect('chat', tokenOf({ sub: 'ada' }));
  const heard: string[] = [];
  socket.on('message', ({ from }) => heard.push(from));
  await socket.emitWithAck('join', { room: 'lobby' });
  await socket.emitWithAck('publish', { room: 'lobby', body: 'hello', from: 'eve' });
  await eventually('the message', () => heard.length === 1);
  expect(heard).toEqual(['ada']);
});

test("a token's rooms are the only ones, and its earliest offset cuts what is replayed", async () => {
  const writer = connect('chat', tokenOf({ sub: 'writer' }));
  for (const body of [1, 2, 3]) await writer.emitWithAck('publish', { room: 'board', body });
  const { epoch } = await writer.emitWithAck('join', { room: 'board' });

  const reader = connect('chat', tokenOf({ rooms: ['chat/team-*', { room: 'chat/board', from: 3 }] }));
  expect(await reader.emitWithAck('join', { room: 'lobby' })).toMatchObject({ error: { code: 'forbidden' } });
  expect(await reader.emitWithAck('publish', { room: 'lobby', body: 1 })).toMatchObject({ ok: false });
  expect(await reader.emitWithAck('join', { room: 'team-7' })).toMatchObject({ ok: true });
  const { messages } = await reader.emitWithAck('join', { room: 'board', since: { epoch, offset: 0 } });
  expect(messages.map(({ body }: { body: number }) => body)).toEqual([3]);
});

test('what a token hides is told as lost to who would have heard it live; its epoch bounds for how long it holds', async () => {
  const writer = connect('chat', tokenOf({ sub: 'writer' }));
  for (const body of [1, 2, 3]) await writer.emitWithAck('publish', { room: 'minutes', body });
  const { epoch } = await writer.emitWithAck('join', { room: 'minutes' });
  const join = (claim: object, offset: number) => {
    const rooms = [{ room: 'chat/minutes', ...claim }] as unknown as TokenClaims['rooms'];
    const reader = connect('chat', tokenOf({ sub: 'reader', rooms }));
    return reader.emitWithAck('join', { room: 'minutes', since: { epoch, offset } });
  };
  const offsets = ({ messages }: { messages: { offset: number }[] }) => messages.map(({ offset }) => offset);

  const beyond = await join({ from: 99 }, 1);
  expect([offsets(beyond), beyond.recovered, beyond.lost]).toEqual([[], false, { messages: 2 }]);
  const cut = await join({ from: 3, epoch }, 0);
  expect([offsets(cut), cut.recovered]).toEqual([[3], true]);
  // A room that began anew has nothing to do with the offsets of the one before.
  const before = `${(Date.now() - 1_000_000).toString(36)}.gone`;
  const anew = await join({ from: 3, epoch: before }, 0);
  expect([offsets(anew), anew.recovered]).toEqual([[1, 2, 3], true]);
});

test('clients read what backends publish, and do not publish there', async () => {
  const socket = connect('bots', tokenOf({}));
  expect(await socket.emitWithAck('join', { room: 'b1' })).toMatchObject({ ok: true });
  expect(await socket.emitWithAck('publish', { room: 'b1', body: 1 })).toMatchObject({
    error: { code: 'forbidden' },
  });
});

test('a token that ends while its client is connected takes it nowhere new, and the connection ends', async () => {
  const socket = connect('chat', tokenOf({ exp: Math.ceil(Date.now() / 1000) + 2 }));
  expect(await socket.emitWithAck('join', { room: 'lobby' })).toMatchObject({ ok: true });
  const code = async (method: string, request: object) =>
    (await socket.emitWithAck(method, request)).error?.code;
  await eventually(
    'the token to end',
    async () => (await code('publish', { room: 'lobby', body: 1 })) === 'expired',
  );
  // Not `forbidden`, which would be for good.
  expect(await code('join', { room: 'other' })).toBe('expired');
  await eventually('the connection to end', () => !socket.connected);
  expect(await refusal(socket)).toBe('expired');
});
