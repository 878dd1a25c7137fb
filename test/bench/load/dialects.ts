import { makeBenchToken } from '../bench-token.ts';

/** How the raw clients of a variant say things: text frames, put together by hand. */
export interface Dialect {
  /** Path and query of the WebSocket. */
  readonly path: string;
  /** What it says first, once it is open. */
  readonly opening?: string;
  /** What to answer to a frame while connecting. */
  greet(text: string): string | undefined;
  /** Does this frame say that the connection is ready? Undefined: it is once it is open. */
  readonly isReady?: (text: string) => boolean;
  join(room: string): string;
  isJoined(text: string): boolean;
  /** @param id unique to this publish */
  publish(room: string, body: string, id: string): string;
  isMessage(text: string): boolean;
  /** A frame that is neither: what to answer, if anything. */
  pong(text: string): string | undefined;
}

export type DialectName = 'bare' | 'socketIo' | 'hub' | 'signalR';

const bare: Dialect = {
  path: '/',
  greet: () => undefined,
  join: (room) => `j:${room}`,
  isJoined: (text) => text.startsWith('j:'),
  publish: (room, body) => `p:${room}:${body}`,
  isMessage: (text) => text.startsWith('{'),
  pong: () => undefined,
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
  isMessage: (text) => text.startsWith('42["message",'),
};

const enterHub = `40/chat,{"token":"${makeBenchToken()}"}`;

const hub: Dialect = {
  ...engine,
  greet: (text) => (text.startsWith('0{') ? enterHub : undefined),
  isReady: (text) => text.startsWith('40/chat,{'),
  join: (room) => `42/chat,0["join",{"room":${JSON.stringify(room)}}]`,
  isJoined: (text) => text.startsWith('43/chat,0[{"ok":true'),
  // The contract's publish: an id of the sender's, and an acknowledgement.
  publish: (room, body, id) =>
    `42/chat,1["publish",{"room":${JSON.stringify(room)},"id":"${id}","body":${body}}]`,
  isMessage: (text) => text.startsWith('42/chat,["message",'),
};

const record = (text: string) => `${text}\x1e`;

/** JSON by WebSockets, without a negotiation. */
const signalR: Dialect = {
  path: `/chathub?access_token=${makeBenchToken()}`,
  opening: record('{"protocol":"json","version":1}'),
  greet: () => undefined,
  isReady: (text) => text.includes('"target":"welcome"'),
  join: (room) =>
    record(`{"type":1,"invocationId":"0","target":"join","arguments":[{"room":${JSON.stringify(room)}}]}`),
  isJoined: (text) => text.startsWith('{"type":3,"invocationId":"0","result":'),
  publish: (room, body, id) =>
    record(
      `{"type":1,"invocationId":"1","target":"publish","arguments":[{"room":${JSON.stringify(room)},"id":"${id}","body":${body}}]}`,
    ),
  isMessage: (text) => text.startsWith('{"type":1,"target":"message"'),
  pong: () => undefined,
};

export const dialects: Readonly<Record<DialectName, Dialect>> = { bare, socketIo, hub, signalR };
