import { withBase64 } from '../rooms/body/attachments.ts';
import type { Frame, FrameFormat } from '../rooms/member.ts';
import { jsonProtocol } from './protocol/json.ts';
import { JsonText } from './protocol/json-text.ts';
import { messagePackProtocol } from './protocol/messagepack.ts';
import type { HubProtocol } from './protocol/messages.ts';
import { recordSeparator } from './protocol/records.ts';

/** A record that is written as it is to each member of its encoding. */
export class RecordFrame implements Frame {
  readonly record: Buffer;

  constructor(record: Buffer) {
    this.record = record;
  }

  /** Every member was written to by itself. */
  flush(): void {}
}

const beforeMessage = Buffer.from('{"type":1,"target":"message","arguments":[');
const behindMessage = Buffer.from([0x5d, 0x7d, recordSeparator]);

/** The message's text goes out as it stands in the log. */
const jsonFormat: FrameFormat = {
  message: (text) => new RecordFrame(Buffer.concat([beforeMessage, text, behindMessage])),
  event: (name, ...args) =>
    new RecordFrame(jsonProtocol.encode({ type: 1, target: name, arguments: [...withBase64(args)] })),
};

const messagePackFormat: FrameFormat = {
  message: (text) => invocation('message', text.toString()),
  event: (name, ...args) => invocation(name, ...withBase64(args).map((arg) => JSON.stringify(arg ?? null))),
};

function invocation(target: string, ...texts: readonly string[]): RecordFrame {
  const args = texts.map((text) => new JsonText(text));
  return new RecordFrame(messagePackProtocol.encode({ type: 1, target, arguments: args }));
}

/** One format for each encoding, whatever transport carries it. */
export function formatOf({ isBinary }: HubProtocol): FrameFormat {
  return isBinary ? messagePackFormat : jsonFormat;
}
