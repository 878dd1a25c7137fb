import { argumentsIn, JsonText } from './json-text.ts';
import {
  type HubMessage,
  type HubProtocol,
  listOf,
  messageType,
  optionalTextOf,
  ProtocolError,
  streamIdsOf,
  textOf,
} from './messages.ts';
import { createMessageReader, findTextRecord, recordSeparator } from './records.ts';

const end = String.fromCharCode(recordSeparator);

export const jsonProtocol: HubProtocol = {
  name: 'json',
  isBinary: false,
  encode: (message) => Buffer.from(encoded(message) + end),
  createReader: (largestMessage) => createMessageReader(findTextRecord, largestMessage, parse),
};

/** A text stands in its message as it is. */
function encoded(message: HubMessage): string {
  if (message.type === messageType.streamItem && message.item instanceof JsonText) {
    return `${withoutValue(message)},"item":${message.item.text}}`;
  }
  if (message.type === messageType.completion && message.result instanceof JsonText) {
    return `${withoutValue(message)},"result":${message.result.text}}`;
  }
  return JSON.stringify(shown(message));
}

/** Its end is still open. */
function withoutValue({
  type,
  invocationId,
}: {
  readonly type: number;
  readonly invocationId: string;
}): string {
  return JSON.stringify({ type, invocationId }).slice(0, -1);
}

/** Clients in Python and Java take no property that they don't know. */
function shown(message: HubMessage): object {
  if (message.type !== messageType.completion) return message;
  const { type, invocationId, error, hasResult, result } = message;
  if (error !== undefined) return { type, invocationId, error };
  // `undefined` would leave the property out, and with it the result.
  return hasResult ? { type, invocationId, result: result ?? null } : { type, invocationId };
}

function parse(record: Buffer): HubMessage | undefined {
  const text = record.toString('utf8');
  const message = parseObject(text);
  const { type } = message;
  switch (type) {
    case messageType.invocation:
    case messageType.streamInvocation:
      return {
        type,
        invocationId: optionalTextOf(message.invocationId, 'invocationId'),
        target: textOf(message.target, 'target'),
        arguments: listOf(message.arguments, 'arguments'),
        json: () => argumentsIn(text),
        streamIds: streamIdsOf(message.streamIds),
      };
    case messageType.streamItem:
      return { type, invocationId: textOf(message.invocationId, 'invocationId'), item: message.item };
    case messageType.completion:
      return {
        type,
        invocationId: textOf(message.invocationId, 'invocationId'),
        error: optionalTextOf(message.error, 'error'),
        hasResult: 'result' in message,
        result: message.result,
      };
    case messageType.cancelInvocation:
      return { type, invocationId: textOf(message.invocationId, 'invocationId') };
    case messageType.ping:
      return { type };
    case messageType.close:
      return { type, error: optionalTextOf(message.error, 'error') };
    default:
      if (typeof type !== 'number') throw new ProtocolError('a message has no type');
      return undefined;
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError('a message is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError('a message is no object');
  }
  return value as Record<string, unknown>;
}
