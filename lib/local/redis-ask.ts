import { connect } from 'node:tls';
import type { RedisServer } from './redis-server.ts';
import type { RedisUser } from './redis-users.ts';

const answerMs = 1_000;

/** Runs one command on a connection of its own. @returns what was answered, as it is; nothing while it is away */
export function askRedis(
  { port, ca }: Pick<RedisServer, 'port' | 'ca'>,
  user: RedisUser,
  command: string,
): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', servername: 'localhost', port, ca }, () =>
      socket.write(`AUTH ${user.name} ${user.password}\r\n${command}\r\nQUIT\r\n`),
    );
    socket.setTimeout(answerMs, () => socket.destroy());
    socket.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}
