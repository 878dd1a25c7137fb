import { makeBenchToken } from '../bench-token.ts';

/** How a raw client of a variant says things: text frames, put together by hand. */
export interface Dialect {
  /** Path and query of the WebSocket. */
  readonly path: string;
  /** What it says first, once it is open. */
  readonly opening?: string;
  /** What to answer to a frame while connecting. */
  greet(text: string): string | undefined;
  /** Does this frame say that the connection is ready? Undefined: it is once it is open. */
  readonly isReady?: (text: string) => boolean;
  /** @param before what a former join was answered: the client goes on from there */
  join(room: string, before?: string): string;
  isJoined(text: string): boolean;
  /** @param id unique to this publish */
  publish(room: string, body: string, id: string): string;
  /** How many messages of its rooms a frame carries, the bodies one after the other. */
  messagesIn(text: string): number;
  /** A frame that is neither: what to answer, if anything. */
  pong(text: string): string | undefined;
}

/** @param subject of the client, where it has a token */
type DialectOf = (subject: string) => Dialect;

export type DialectName = 'bare' | 'socketIo' | 'hub' | 'signalR' | 'centrifugo';

const none = () => undefined;
const oneIf = (holds: boolean) => (holds ? 1 : 0);

const bare: Dialect = {
  path: '/',
  greet: none,
  join: (room) => `j:${room}`,
  isJoined: (text) => text.startsWith('j:'),
  publish: (room, body) => `p:${room}:${body}`,
  messagesIn: (text) => oneIf(text.startsWith('{')),
  pong: none,
};

/** Engine.IO's open is answered with Socket.IO's connect; `2` and `3` are its ping and pong. */
const engine = {
  path: '/socket.io/?EIO=4&transport=websocket',
  pong: (text: string) => (text === '2' ? '3' : undefined),
};

const socketIo: Dialect = {
  ...engine,
  greet: (text) => (text.startsWith('0{') ? '40' : undefined),
  isReady: (text) => text.startsWith('40{'),
  join: (room) => `420["join",${JSON.stringify(room)}]`,
  isJoined: (text) => text.startsWith('430['),
  publish: (room, body) => `42["publish",${JSON.stringify(room)},${body}]`,
  messagesIn: (text) => oneIf(text.startsWith('42["message",')),
};

/** The field of a join by which the client misses nothing. */
function positionIn(before = ''): string {
  const [position] = /"epoch":"[^"]+","offset":\d+/.exec(before) ?? [];
  return position === undefined ? '' : `,"since":{${position}}`;
}

const hub: DialectOf = (subject) => ({
  ...engine,
  greet: (text) => (text.startsWith('0{') ? `40/chat,{"token":"${makeBenchToken(subject)}"}` : undefined),
  isReady: (text) => text.startsWith('40/chat,{'),
  join: (room, before) => `42/chat,0["join",{"room":${JSON.stringify(room)}${positionIn(before)}}]`,
  isJoined: (text) => text.startsWith('43/chat,0[{"ok":true'),
  // The contract's publish: an id of the sender's, and an acknowledgement.
  publish: (room, body, id) =>
    `42/chat,1["publish",{"room":${JSON.stringify(room)},"id":"${id}","body":${body}}]`,
  messagesIn: (text) => oneIf(text.startsWith('42/chat,["message",')),
});

const record = (text: string) => `${text}\x1e`;

/** JSON by WebSockets, without a negotiation. */
const signalR: DialectOf = (subject) => ({
  path: `/chathub?access_token=${makeBenchToken(subject)}`,
  opening: record('{"protocol":"json","version":1}'),
  greet: none,
  isReady: (text) => text.includes('"target":"welcome"'),
  join: (room) =>
    record(`{"type":1,"invocationId":"0","target":"join","arguments":[{"room":${JSON.stringify(room)}}]}`),
  isJoined: (text) => text.startsWith('{"type":3,"invocationId":"0","result":'),
  publish: (room, body, id) =>
    record(
      `{"type":1,"invocationId":"1","target":"publish","arguments":[{"room":${JSON.stringify(room)},"id":"${id}","body":${body}}]}`,
    ),
  messagesIn: (text) => oneIf(text.startsWith('{"type":1,"target":"message"')),
  pong: none,
});

/** Its JSON protocol: a command or a reply on each line of a frame; an empty object asks for its like. */
const centrifugo: DialectOf = (subject) => ({
  path: '/connection/websocket',
  opening: `{"id":1,"connect":{"token":"${makeBenchToken(subject)}"}}`,
  greet: none,
  isReady: (text) => text.startsWith('{"id":1,"connect":'),
  join: (room) => `{"id":2,"subscribe":{"channel":${JSON.stringify(room)}}}`,
  isJoined: (text) => text.includes('{"id":2,"subscribe":'),
  publish: (room, body) => `{"id":3,"publish":{"channel":${JSON.stringify(room)},"data":${body}}}`,
  messagesIn: (text) => text.split('{"push":').length - 1,
  pong: (text) => (text === '{}' ? '{}' : undefined),
});

const dialects: Readonly<Record<DialectName, DialectOf>> = {
  bare: () => bare,
  socketIo: () => socketIo,
  hub,
  signalR,
  centrifugo,
};

export function dialectOf(name: DialectName, subject: string): Dialect {
  return dialects[name](subject);
}
