import type { Acknowledgement } from '../../protocol/hub.ts';
import type { HubSocket } from '../connection/connect.ts';
import { HubConnection } from '../connection/connection.ts';
import { type Caller, isRightBehind, NoReplyError, replyTimeoutMs, sendingMs } from './call.ts';
import { HubError } from './errors.ts';
import { measureRequest } from './request-size.ts';

/** Requests over Socket.IO. */
export function callerOf(socket: HubSocket): Caller {
  return {
    get connected() {
      return socket.connected;
    },
    call: (method, request) => call(socket, method, request),
    alone: (task) => HubConnection.of(socket).alone(task),
  };
}

/**
 * Calls a method of the hub on the current connection. If no reply comes, it checks whether the connection is alive.
 * If the token has expired, it renews the connection with a new one.
 *
 * @throws HubError; `uncertain` if the connection ended or no reply came, `too_large` if nothing was sent
 */
async function call<T>(socket: HubSocket, method: string, request: object): Promise<T> {
  const connection = HubConnection.of(socket);
  const bytes = measureRequest(method, request, connection.limits);
  if (!socket.connected) throw new NoReplyError('refused', 'not connected to the service');
  const reply = await send<T>(socket, method, request, sendingMs(bytes));
  connection.replied();
  if (reply.ok) return reply;
  if (reply.error.code === 'expired') connection.renew();
  throw new HubError(reply.error);
}

function send<T>(
  socket: HubSocket,
  method: string,
  request: object,
  extraMs: number,
): Promise<Acknowledgement<T>> {
  const connection = HubConnection.of(socket);
  const sentAt = Date.now();
  // The probe starts at half of the time, so that a dead connection is found before the time is over.
  const timer = setTimeout(() => void connection.probe(), replyTimeoutMs / 2 + extraMs);
  const replied = new Promise<Acknowledgement<T>>((resolve, reject) => {
    const onReply = (error: Error | null, reply: Acknowledgement<T>) => {
      if (!error) return resolve(reply);
      if (socket.connected) return reject(new NoReplyError('uncertain', `no reply to ${method}`));
      const message = `the connection ended before ${method} was answered`;
      reject(
        new NoReplyError('uncertain', message, isRightBehind(sentAt, extraMs) && connection.endedFromOutside),
      );
    };
    const asking = socket.timeout(replyTimeoutMs + extraMs) as unknown as {
      emit(name: string, payload: object, reply: typeof onReply): void;
    };
    try {
      asking.emit(method, request, onReply);
    } catch (error) {
      // The encoder threw, so nothing was sent.
      reject(new HubError({ code: 'bad_request', message: `not to be sent: ${(error as Error).message}` }));
    }
  });
  return replied.finally(() => clearTimeout(timer));
}
