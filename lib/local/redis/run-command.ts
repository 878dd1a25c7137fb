import { connect } from 'node:tls';
import type { RedisServer } from './server.ts';
import type { RedisUser } from './users.ts';

const replyMs = 1_000;

/**
 * Runs one Redis command on a connection of its own.
 * @returns the replies as they came, in RESP 2; nothing if the server does not answer
 */
export function runCommand(
  { port, ca }: Pick<RedisServer, 'port' | 'ca'>,
  user: RedisUser,
  command: string,
): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, ca }, () =>
      socket.write(`AUTH ${user.name} ${user.password}\r\n${command}\r\nQUIT\r\n`),
    );
    socket.setTimeout(replyMs, () => socket.destroy());
    socket.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}
