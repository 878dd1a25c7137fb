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
  encode: (message) => Buffer.from(JSON.stringify(shown(message)) + end),
  createReader: (largestMessage) => createMessageReader(findTextRecord, largestMessage, parse),
};

/** Clients in Python and Java take no property that they don't know. */
function shown(message: HubMessage): object {
  if (message.type !== messageType.completion) return message;
  const { type, invocationId, error, hasResult, result } = message;
  if (error !== undefined) return { type, invocationId, error };
  // `undefined` would leave the property out, and with it the result.
  return hasResult ? { type, invocationId, result: result ?? null } : { type, invocationId };
}

function parse(record: Buffer): HubMessage | undefined {
  const message = parseObject(record);
  const { type } = message;
  switch (type) {
    case messageType.invocation:
    case messageType.streamInvocation:
      return {
        type,
        invocationId: optionalTextOf(message.invocationId, 'invocationId'),
        target: textOf(message.target, 'target'),
        arguments: listOf(message.arguments, 'arguments'),
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

function parseObject(record: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(record.toString('utf8'));
  } catch {
    throw new ProtocolError('a message is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError('a message is no object');
  }
  return value as Record<string, unknown>;
}
