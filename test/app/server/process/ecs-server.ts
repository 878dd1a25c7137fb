import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One answer of `DescribeTasks`. */
export type EcsAnswer = { readonly status?: number; readonly body: object };

export interface EcsServer {
  /** Both the task metadata endpoint and ECS. */
  readonly url: string;
  /** Each question that ECS was asked: its target and body. */
  readonly asked: { readonly target: string; readonly body: unknown }[];
  /** What is answered from now on. */
  answer: EcsAnswer;
  /** The status of the metadata endpoint. */
  metadataStatus: number;
  stop(): Promise<void>;
}

export const taskArn = 'arn:aws:ecs:eu-central-1:111122223333:task/realtime/158d1c8083dd49d6b527399fd6414f5c';
const cluster = 'arn:aws:ecs:eu-central-1:111122223333:cluster/realtime';

/** As the metadata endpoint answers on Fargate, shortened; it knows no DEACTIVATING. */
const metadata = {
  Cluster: cluster,
  TaskARN: taskArn,
  Family: 'realtime',
  Revision: '7',
  DesiredStatus: 'RUNNING',
  KnownStatus: 'RUNNING',
  Containers: [{ DockerId: '158d1c80', Name: 'realtime', KnownStatus: 'RUNNING' }],
  LaunchType: 'FARGATE',
};

export function task(lastStatus: string, desiredStatus: string): EcsAnswer {
  return {
    body: {
      failures: [],
      tasks: [
        { taskArn, clusterArn: cluster, lastStatus, desiredStatus, group: 'service:realtime', version: 4 },
      ],
    },
  };
}

export const missing: EcsAnswer = { body: { failures: [{ arn: taskArn, reason: 'MISSING' }], tasks: [] } };

export const throttled: EcsAnswer = {
  status: 400,
  body: { __type: 'ThrottlingException', message: 'Rate exceeded' },
};

export const denied: EcsAnswer = {
  status: 400,
  body: {
    __type: 'AccessDeniedException',
    message: `User is not authorized to perform: ecs:DescribeTasks on resource: ${taskArn}`,
  },
};

export async function startEcs(): Promise<EcsServer> {
  const http = createServer(async (request, response) => {
    if (request.url === '/v4/abc/task') {
      response.writeHead(server.metadataStatus, { 'content-type': 'application/json' });
      response.end(server.metadataStatus === 200 ? JSON.stringify(metadata) : 'no');
      return;
    }
    let text = '';
    for await (const part of request) text += part;
    server.asked.push({ target: String(request.headers['x-amz-target']), body: JSON.parse(text) });
    response.writeHead(server.answer.status ?? 200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(server.answer.body));
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server: EcsServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked: [],
    answer: task('RUNNING', 'RUNNING'),
    metadataStatus: 200,
    stop: async () => {
      http.close();
      http.closeAllConnections();
    },
  };
  return server;
}
