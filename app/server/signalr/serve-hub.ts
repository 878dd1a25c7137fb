import type { StreamHandler } from '../hubs/calls/calls.ts';
import type { EventHandler } from '../hubs/event-handler.ts';
import type { HubMember } from '../hubs/member.ts';
import type { OpenHub } from '../hubs/open.ts';
import { longestWayMs, watchStalls } from '../process/stall-watch.ts';
import { withBase64 } from '../rooms/body/attachments.ts';
import {
  type Handler,
  type Parameter,
  type Reply,
  ReplyText,
  type RequestText,
  RpcError,
} from '../rooms/rpc.ts';
import { HubError, type SignalRConnection, type SignalRHub, type SignalRMethod } from './hub.ts';
import { SignalRMember } from './member.ts';
import { JsonText, jsonOf, NoJsonError } from './protocol/json-text.ts';

export interface ServedHub extends SignalRHub {
  /** Watches no more over the connections that it has. */
  close(): void;
}

/**
 * Serves a hub to SignalR's clients: its methods are their invocations, by any spelling of the name, with one object or
 * with positional arguments. What a hub refuses ends an invocation as .NET's `HubException` does, with the code in
 * front of the text: `forbidden: you may not join this room`. A client that does not look at results would take a
 * refusal in a result for success.
 */
export function serveHub(hub: OpenHub): ServedHub {
  const members = new Map<SignalRConnection, SignalRMember>();
  const methods = new Map<string, SignalRMethod>();
  for (const [name, handler] of hub.handlers) {
    methods.set(
      name.toLowerCase(),
      invocationOf(handler, (connection) => members.get(connection)),
    );
  }
  for (const [name, handler] of hub.streams) {
    methods.set(
      name.toLowerCase(),
      streamOf(hub, handler, (connection) => members.get(connection)),
    );
  }
  // What clients sent before a long stall they have sent again to others: it must not be done once more.
  const endStallWatch = watchStalls(longestWayMs(hub.idWindowMs), () => {
    for (const connection of [...members.keys()]) connection.terminate();
  });
  const { events } = hub;
  return {
    find: (target) =>
      methods.get(target.toLowerCase()) ??
      (events && eventOf(events, target, (connection) => members.get(connection))),
    connected: (connection) => {
      const member = new SignalRMember(connection);
      members.set(connection, member);
      hub.entered(member);
    },
    disconnected: (connection, reason) => {
      const member = members.get(connection);
      members.delete(connection);
      if (member) hub.left(member, reason);
    },
    refused: (error, code, connection) => hub.refused(error, code, connection),
    slow: () => {
      hub.counters.slowConsumers += 1;
    },
    close: endStallWatch,
  };
}

function invocationOf(
  handler: Handler<HubMember>,
  memberOf: (connection: SignalRConnection) => HubMember | undefined,
): SignalRMethod {
  return {
    kind: 'invocation',
    run: async (connection, args, json) => {
      const member = memberOf(connection);
      // Its end came while this waited: nobody hears the answer.
      if (!member) throw new HubError('unavailable: the connection has ended');
      const { request, text } = requestOf(handler.parameters, args, json);
      return resultOf(await handler.reply(member, request, text));
    },
  };
}

/** Whatever is no method is an event, with the arguments that it has. */
function eventOf(
  events: EventHandler,
  event: string,
  memberOf: (connection: SignalRConnection) => HubMember | undefined,
): SignalRMethod {
  return {
    kind: 'invocation',
    run: async (connection, args) => {
      const member = memberOf(connection);
      if (!member) throw new HubError('unavailable: the connection has ended');
      const reply = await events.reply(member, event, args);
      if (reply.ok) return withBase64(reply.values)[0];
      throw new HubError(`${reply.error.code}: ${reply.error.message}`);
    },
  };
}

function streamOf(
  hub: OpenHub,
  handler: StreamHandler,
  memberOf: (connection: SignalRConnection) => HubMember | undefined,
): SignalRMethod {
  return {
    kind: 'stream',
    run: async function* (connection, args, signal, json) {
      const member = memberOf(connection);
      if (!member) return;
      try {
        const { request } = requestOf(handler.parameters, args, json);
        for await (const item of handler.run(member, request, signal)) {
          yield item instanceof ReplyText ? new JsonText(item.text) : item;
        }
      } catch (error) {
        if (error instanceof RpcError && error.cause instanceof Error) hub.onFault(error.cause, member);
        throw error instanceof RpcError ? new HubError(`${error.code}: ${error.message}`) : error;
      }
    },
  };
}

/** @throws HubError what the hub refuses */
function resultOf(reply: Reply): unknown {
  if (reply instanceof ReplyText) return new JsonText(reply.text);
  if (reply.ok) return reply;
  throw new HubError(`${reply.error.code}: ${reply.error.message}`);
}

interface Request {
  readonly request: unknown;
  readonly text: RequestText;
}

/** The request that arguments make: the only one, where it is an object; else each is a property, by its position. */
export function requestOf(
  parameters: readonly Parameter[],
  args: readonly unknown[],
  json: (() => readonly string[]) | undefined,
): Request {
  const texts = textsOf(args, json);
  const [first] = args;
  if (args.length === 1 && typeof first === 'object' && first !== null && !Array.isArray(first)) {
    return { request: first, text: { text: texts[0] as string, start: 0 } };
  }
  if (args.length > parameters.length) {
    throw new HubError(`bad_request: takes ${wordsOf(parameters)}, got: ${args.length} arguments`);
  }
  const given = parameters
    .map(({ name, isOptional }, index) => ({ name, isOptional, value: args[index], text: texts[index] }))
    .filter(({ isOptional, value, text }) => text !== undefined && !(isOptional && value === null));
  return {
    request: Object.fromEntries(given.map(({ name, value }) => [name, value])),
    text: {
      text: `{${given.map(({ name, text }) => `${JSON.stringify(name)}:${text}`).join(',')}}`,
      start: 0,
    },
  };
}

function textsOf(args: readonly unknown[], json: (() => readonly string[]) | undefined): readonly string[] {
  try {
    return json ? json() : args.map(jsonOf);
  } catch (error) {
    if (error instanceof NoJsonError) throw new HubError(`bad_request: ${error.message}`);
    throw error;
  }
}

function wordsOf(parameters: readonly Parameter[]): string {
  const names = parameters.map(({ name, isOptional }) => (isOptional ? `${name}?` : name));
  return names.length === 0 ? 'one object or nothing' : `one object or (${names.join(', ')})`;
}
