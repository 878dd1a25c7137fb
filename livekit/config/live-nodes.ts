/** The Redis hash of the nodes' records, by node id. Records of dead nodes stay in it, so its length is too high. */
export const nodesKey = 'nodes';

/** A node refreshes its record every 2 s. LiveKit considers a node dead after 5 s without a refresh. */
const freshSeconds = 5;

/** The record that a node writes about itself: protobuf `livekit.Node`. */
export interface NodeRecord {
  readonly id: string;
  readonly ip: string;
  /** Seconds since 1970. */
  readonly updatedAt: number;
  readonly state: 'starting' | 'serving' | 'draining' | 'suspended';
  /** Participants in its rooms now. */
  readonly participants: number;
}

/**
 * The live nodes.
 *
 * @param records all values of the hash
 * @param now milliseconds since 1970, by the nodes' clock
 */
export function liveNodes(records: readonly Uint8Array[], now = Date.now()): NodeRecord[] {
  return records.map(readNode).filter(({ updatedAt }) => now / 1_000 - updatedAt <= freshSeconds);
}

const states = ['starting', 'serving', 'draining', 'suspended'] as const;

/** @throws RangeError if the record is no protobuf message */
export function readNode(record: Uint8Array): NodeRecord {
  const node = fieldsOf(record);
  const stats = fieldsOf(bytesOf(node.get(4)));
  return {
    id: textOf(node.get(1)),
    ip: textOf(node.get(2)),
    updatedAt: numberOf(stats.get(2)),
    state: states[numberOf(node.get(6))] ?? 'suspended',
    participants: numberOf(stats.get(4)),
  };
}

type Field = number | Uint8Array;

/** The fields by number; the last one wins. A protobuf library for five fields would be larger than everything here. */
function fieldsOf(message: Uint8Array): Map<number, Field> {
  const fields = new Map<number, Field>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError('the record ends within a number');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('the record holds a number that is too long');
  };
  const take = (length: number) => {
    if (at + length > message.length) throw new RangeError('the record ends within a field');
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const tag = varint();
    const [number, wireType] = [Math.floor(tag / 8), tag % 8];
    if (wireType === 0) fields.set(number, varint());
    else if (wireType === 1) take(8);
    else if (wireType === 2) fields.set(number, take(varint()));
    else if (wireType === 5) take(4);
    else throw new RangeError(`the record holds a field of the unknown kind ${wireType}`);
  }
  return fields;
}

function numberOf(field: Field | undefined): number {
  return typeof field === 'number' ? field : 0;
}

function bytesOf(field: Field | undefined): Uint8Array {
  return field instanceof Uint8Array ? field : new Uint8Array();
}

function textOf(field: Field | undefined): string {
  return new TextDecoder().decode(bytesOf(field));
}
