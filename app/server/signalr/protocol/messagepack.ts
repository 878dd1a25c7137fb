import { decode, encode } from '@msgpack/msgpack';
import {
  type Completion,
  type HubMessage,
  type HubProtocol,
  type Invocation,
  listOf,
  messageType,
  optionalTextOf,
  ProtocolError,
  streamIdsOf,
  textOf,
} from './messages.ts';
import { createMessageReader, findBinaryRecord, withLength } from './records.ts';

/** How a completion ends. */
const resultKind = { error: 1, none: 2, value: 3 } as const;
/** Headers of a message; ours have none. */
const noHeaders = {};

export const messagePackProtocol: HubProtocol = {
  name: 'messagepack',
  isBinary: true,
  encode: (message) => withLength(encode(elementsOf(message), { ignoreUndefined: true })),
  createReader: (largestMessage) =>
    createMessageReader(findBinaryRecord, largestMessage, (record) => parse(record, largestMessage)),
};

function elementsOf(message: HubMessage): readonly unknown[] {
  switch (message.type) {
    case messageType.invocation:
    case messageType.streamInvocation:
      return invocationElements(message);
    case messageType.streamItem:
      return [message.type, noHeaders, message.invocationId, message.item];
    case messageType.completion:
      return completionElements(message);
    case messageType.cancelInvocation:
      return [message.type, noHeaders, message.invocationId];
    case messageType.ping:
      return [message.type];
    case messageType.close:
      return message.allowReconnect
        ? [message.type, message.error ?? null, true]
        : [message.type, message.error ?? null];
  }
}

/** Six elements always: a client in Python reads the sixth without looking whether it is there. */
function invocationElements(message: Invocation): readonly unknown[] {
  const { type, invocationId = null, target, streamIds = [] } = message;
  return [type, noHeaders, invocationId, target, message.arguments, streamIds];
}

function completionElements({
  type,
  invocationId,
  error,
  hasResult,
  result,
}: Completion): readonly unknown[] {
  if (error !== undefined) return [type, noHeaders, invocationId, resultKind.error, error];
  if (!hasResult) return [type, noHeaders, invocationId, resultKind.none];
  return [type, noHeaders, invocationId, resultKind.value, result ?? null];
}

function parse(record: Buffer, largest: number): HubMessage | undefined {
  const elements = listOf(decoded(record, largest), 'a message');
  const [type, , id] = elements;
  switch (type) {
    case messageType.invocation:
    case messageType.streamInvocation:
      return {
        type,
        invocationId: optionalTextOf(id, 'invocationId'),
        target: textOf(elements[3], 'target'),
        arguments: listOf(elements[4], 'arguments'),
        streamIds: streamIdsOf(elements[5]),
      };
    case messageType.streamItem:
      return { type, invocationId: textOf(id, 'invocationId'), item: elements[3] };
    case messageType.completion:
      return completionOf(elements);
    case messageType.cancelInvocation:
      return { type, invocationId: textOf(id, 'invocationId') };
    case messageType.ping:
      return { type };
    case messageType.close:
      return { type, error: optionalTextOf(elements[1], 'error') };
    default:
      if (typeof type !== 'number') throw new ProtocolError('a message has no type');
      return undefined;
  }
}

function completionOf([, , id, kind, value]: readonly unknown[]): Completion {
  const invocationId = textOf(id, 'invocationId');
  const type = messageType.completion;
  if (kind === resultKind.error) return { type, invocationId, error: textOf(value, 'error') };
  return { type, invocationId, hasResult: kind === resultKind.value, result: value };
}

/** Lengths in the text are bounded by its own: nobody makes us reserve what he did not send. */
function decoded(record: Buffer, largest: number): unknown {
  const options = {
    maxStrLength: largest,
    maxBinLength: largest,
    maxArrayLength: largest,
    maxMapLength: largest,
    maxExtLength: largest,
  };
  try {
    return decode(record, options);
  } catch {
    throw new ProtocolError('a message is no MessagePack');
  }
}
