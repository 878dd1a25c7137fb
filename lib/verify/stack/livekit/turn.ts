import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { addAbortSignal } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { CheckFailure, NotProvedError } from '../../check.ts';
import { duration } from '../../wording.ts';
import type { StackCheck } from '../deployed-stack.ts';

const responseMs = 5_000;

export const liveKitTurn: StackCheck = {
  name: 'livekit-turn',
  title: 'TURN answers over TLS on port 443, for networks that let nothing else out',
  async run({ outputs: { TurnName: host } }) {
    if (!host) throw new NotProvedError('the stack has no TURN');
    return { proved: `${host} answered over TLS in ${duration(await timeToRespond({ host }))}` };
  },
};

/** @throws CheckFailure that says what to do */
export async function timeToRespond(server: TurnServer, timeoutMs = responseMs): Promise<number> {
  const askedAt = performance.now();
  try {
    await askTurn(server, timeoutMs);
    return performance.now() - askedAt;
  } catch (error) {
    throw new CheckFailure(explain(server.host, error as NodeJS.ErrnoException));
  }
}

function explain(host: string, { code = '', message }: NodeJS.ErrnoException) {
  const found = `${host} does not answer over TLS: ${code === 'ABORT_ERR' ? 'nothing came' : message}`;
  if (/ENOTFOUND|EAI_/.test(code))
    return {
      found,
      cause: 'the name leads nowhere: its DNS record is missing',
      fix: `point ${host} at the output TurnLoadBalancerName, or give \`hostedZoneId\``,
    };
  if (/CERT|ALTNAME|SELF_SIGNED|VERIFY/.test(code))
    return {
      found,
      cause: 'the certificate does not cover that name, has ended, or is nobody’s that clients trust',
      fix: 'take a certificate that covers `turnDomainName` too, or give `hostedZoneId`',
    };
  if (/ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ABORT_ERR/.test(code))
    return {
      found,
      cause:
        'the network load balancer is not there, its listener is not ready, or a firewall here lets nothing out',
      fix: 'try from another network; `aws elbv2 describe-load-balancers --query "LoadBalancers[?Type==\'network\']"`',
    };
  return {
    found,
    cause: 'behind the load balancer no node takes TURN: its targets are unhealthy',
    fix: 'RUNBOOK.md: "Some users can’t be heard in calls"',
  };
}

/** A TURN server, over TLS. */
interface TurnServer {
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
    checkResponse(await firstBytes(socket, headerBytes), question);
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
  throw failure('ECONNRESET', 'the connection was closed without a response');
}

function checkResponse(response: Buffer, question: Buffer): void {
  const isOurs = response.subarray(4, headerBytes).equals(question.subarray(4, headerBytes));
  if (response.readUInt16BE(0) === bindingSuccess && isOurs) return;
  throw failure('EPROTO', `the response is none of STUN's: ${response.subarray(0, 8).toString('hex')}…`);
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
