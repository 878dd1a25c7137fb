import { decode, encode } from '@msgpack/msgpack';
import { assertMessagePackBounds } from '../../net/messagepack-bounds.ts';
import { JsonText, parseText } from './json-text.ts';
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
  encode: (message) => withLength(encoded(message)),
  createReader: (largestMessage) =>
    createMessageReader(findBinaryRecord, largestMessage, (record) => parse(record, largestMessage)),
};

/** A body may have 100 levels, and stands within a message and its arguments. */
const mostLevels = 128;

function encoded(message: HubMessage): Uint8Array {
  let useBigInt64 = false;
  const plain = (given: unknown) => {
    if (!(given instanceof JsonText)) return given;
    const { value, hasBigInt } = parseText(given);
    useBigInt64 ||= hasBigInt;
    return value;
  };
  const elements = elementsOf(withValues(message, plain));
  return encode(elements, { ignoreUndefined: true, maxDepth: mostLevels, useBigInt64 });
}

/** The message, with each text's value in the text's place. */
function withValues(message: HubMessage, plain: (given: unknown) => unknown): HubMessage {
  switch (message.type) {
    case messageType.invocation:
    case messageType.streamInvocation:
      return { ...message, arguments: message.arguments.map(plain) };
    case messageType.streamItem:
      return { ...message, item: plain(message.item) };
    case messageType.completion:
      return { ...message, result: plain(message.result) };
    default:
      return message;
  }
}

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

/** Lengths are bounded by what came: nobody makes us reserve what he did not send. */
function decoded(record: Buffer, largest: number): unknown {
  const options = {
    maxStrLength: largest,
    maxBinLength: largest,
    maxArrayLength: largest,
    maxMapLength: largest,
    maxExtLength: largest,
  };
  try {
    assertMessagePackBounds(record);
    // The first bytes of integers of 64 bits: where neither is, there are none.
    if (!record.includes(0xcf) && !record.includes(0xd3)) return decode(record, options);
    return settled(decode(record, { ...options, useBigInt64: true }));
  } catch {
    throw new ProtocolError('a message is no MessagePack');
  }
}

/** With numbers for all integers that a number holds; the others stay as they are, with all their digits. */
function settled(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(settled);
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, settled(each)]));
}

/** Not binary, and no time or other extension. */
function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}
