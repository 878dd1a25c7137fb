import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { addAbortSignal } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';

/** A TURN server, over TLS. */
export interface TurnServer {
  readonly host: string;

  /** @default 443, where LiveKit sends its clients */
  readonly port?: number;

  /**
   * PEM of the authority that vouches for it.
   * @default the system's
   */
  readonly ca?: string;
}

/** STUN's binding request and response (RFC 8489). TURN servers answer it without credentials. */
const [bindingRequest, bindingSuccess, magicCookie] = [0x0001, 0x0101, 0x2112a442];
const headerBytes = 20;

/**
 * Checks whether a TURN server responds, without credentials.
 * @throws Error with Node's `code` if TCP or TLS fail; `ABORT_ERR` if there is no answer in time, `EPROTO` for a wrong
 *   one
 */
export async function askTurn({ host, port = 443, ca }: TurnServer, timeoutMs: number): Promise<void> {
  const socket = connect({ host, port, servername: host, ...(ca === undefined ? {} : { ca }) });
  addAbortSignal(AbortSignal.timeout(timeoutMs), socket);
  try {
    await once(socket, 'secureConnect');
    const question = bindingQuestion();
    socket.write(question);
    checkAnswer(await firstBytes(socket, headerBytes), question);
  } finally {
    socket.destroy();
  }
}

function bindingQuestion(): Buffer {
  const question = Buffer.alloc(headerBytes);
  question.writeUInt16BE(bindingRequest, 0);
  question.writeUInt32BE(magicCookie, 4);
  randomBytes(12).copy(question, 8);
  return question;
}

async function firstBytes(socket: TLSSocket, count: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const part of socket) {
    bytes = Buffer.concat([bytes, part]);
    if (bytes.length >= count) return bytes;
  }
  throw failure('ECONNRESET', 'the connection was closed without an answer');
}

function checkAnswer(answer: Buffer, question: Buffer): void {
  const isOurs = answer.subarray(4, headerBytes).equals(question.subarray(4, headerBytes));
  if (answer.readUInt16BE(0) === bindingSuccess && isOurs) return;
  throw failure('EPROTO', `the answer is none of STUN's: ${answer.subarray(0, 8).toString('hex')}…`);
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
