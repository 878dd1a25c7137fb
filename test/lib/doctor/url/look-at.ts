import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type ServerOptions } from 'socket.io';
import { doctor } from '../../../../lib/doctor/doctor.ts';
import type { Diagnosis } from '../../../../lib/doctor/url/diagnose.ts';

/** What the command printed, with its findings by name. */
export interface Looked extends Omit<Diagnosis, 'findings'> {
  readonly code: number;
  readonly text: string;
  /** Status of each finding. */
  readonly status: Record<string, string>;
  /** What was found, or why it was not checked. */
  readonly found: Record<string, string>;
}

/** Runs the command in this process. */
export async function lookAt(
  url: string,
  words: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
): Promise<Looked> {
  let output = '';
  let text = '';
  const code = await doctor(['--url', url, '--json', ...words], {
    output: {
      write: (part) => {
        output += part;
      },
    },
    errors: {
      write: (part) => {
        text += part;
      },
    },
    environment,
  });
  const { findings, ...diagnosis } = JSON.parse(output) as Diagnosis;
  return {
    ...diagnosis,
    code,
    text,
    status: Object.fromEntries(findings.map(({ name, status }) => [name, status])),
    found: Object.fromEntries(
      findings.map((finding) => [finding.name, 'found' in finding ? finding.found : finding.reason]),
    ),
  };
}

/** A Socket.IO server as anyone writes it: `say` goes to all of its clients. */
export async function plainSocketServer(options: Partial<ServerOptions> = {}) {
  const http = createServer((request, response) => {
    if (!request.url?.startsWith('/socket.io/')) response.writeHead(404).end('Cannot GET');
  });
  // A heartbeat every 25 s is the default; tests do not wait for it.
  const io = new Server(http, { serveClient: false, pingInterval: 1_500, ...options });
  io.on('connection', (socket) => socket.on('say', (words) => io.emit('said', words)));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return { io, url, close: () => io.close() };
}
