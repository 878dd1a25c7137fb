import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What ECS shows a task: the agent's protection endpoint (as amazon-ecs-agent's handlers answer), the task metadata
 * endpoint, the API's DescribeTasks and DescribeServices, and the EC2 host's metadata service.
 */
export interface EcsHost {
  readonly url: string;
  readonly agentUri: string;
  readonly metadataUri: string;
  /** Every change of protection that was asked for. */
  readonly asked: { readonly ProtectionEnabled: boolean; readonly ExpiresInMinutes?: number }[];
  /** What ECS refuses from now on; it comes as 200. */
  failure: { readonly Arn: string; readonly Detail: string | null; readonly Reason: string } | undefined;
  /** The service's current deployment; the task's own is `ecs-svc/1`. */
  primary: { id: string; createdAt: Date; desiredCount: number; runningCount: number; failedTasks?: number };
  /** Is called for each DescribeServices. */
  describedServices(): void;
  /** The task's role lacks the permission for the API. */
  isDenied: boolean;
  /** Undefined: the host has none yet. */
  publicAddress: string | undefined;
  stop(): Promise<void>;
}

const taskArn = 'arn:aws:ecs:eu-central-1:111122223333:task/realtime/158d1c8083dd49d6b527399fd6414f5c';
const cluster = 'arn:aws:ecs:eu-central-1:111122223333:cluster/realtime';

type Answer = readonly [status: number, body: object | string];

export async function startEcsHost(): Promise<EcsHost> {
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const [status, body] = answerTo(request, text);
    const type = typeof body === 'string' ? 'text/plain' : 'application/json';
    response.writeHead(status, { 'content-type': type });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  const answerTo = (request: IncomingMessage, text: string): Answer => {
    const { method, url, headers } = request;
    if (url === '/api/abc/task-protection/v1/state' && method === 'PUT') return changeProtection(text);
    if (url === '/v4/abc/task') return [200, { Cluster: cluster, TaskARN: taskArn, Family: 'livekit' }];
    if (url === '/latest/api/token' && method === 'PUT') return [200, 'the-token'];
    if (url === '/latest/meta-data/public-ipv4') {
      if (headers['x-aws-ec2-metadata-token'] !== 'the-token') return [401, ''];
      return host.publicAddress === undefined ? [404, ''] : [200, host.publicAddress];
    }
    const target = String(headers['x-amz-target']);
    if (host.isDenied)
      return [400, { __type: 'AccessDeniedException', message: `not authorized: ${target}` }];
    if (target.endsWith('.DescribeTasks')) return [200, { tasks: [task], failures: [] }];
    if (target.endsWith('.DescribeServices')) {
      host.describedServices();
      return [200, { services: [service()], failures: [] }];
    }
    return [404, {}];
  };
  const changeProtection = (text: string): Answer => {
    const { ProtectionEnabled, ExpiresInMinutes, ...unknown } = JSON.parse(text);
    const isFaulty = typeof ProtectionEnabled !== 'boolean' || Object.keys(unknown).length > 0;
    if (isFaulty) return [400, { error: { Arn: taskArn, Code: 'InvalidParameterException', Message: 'no' } }];
    host.asked.push(JSON.parse(text));
    if (host.failure) return [200, { failure: host.failure }];
    const minutes = ExpiresInMinutes ?? 120;
    const ExpirationDate = ProtectionEnabled ? new Date(Date.now() + minutes * 60_000).toISOString() : null;
    return [200, { protection: { ExpirationDate, ProtectionEnabled, TaskArn: taskArn } }];
  };
  const task = { taskArn, clusterArn: cluster, group: 'service:livekit', startedBy: 'ecs-svc/1' };
  const service = () => ({
    serviceName: 'livekit',
    runningCount: host.primary.id === 'ecs-svc/1' ? host.primary.runningCount : host.primary.runningCount + 1,
    deployments: [
      { ...host.primary, status: 'PRIMARY', createdAt: host.primary.createdAt.getTime() / 1_000 },
    ],
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const host: EcsHost = {
    url,
    agentUri: `${url}/api/abc`,
    metadataUri: `${url}/v4/abc`,
    asked: [],
    failure: undefined,
    primary: { id: 'ecs-svc/1', createdAt: new Date(0), desiredCount: 1, runningCount: 1 },
    describedServices: () => undefined,
    isDenied: false,
    publicAddress: '127.0.0.1',
    stop: async () => {
      http.close();
      http.closeAllConnections();
    },
  };
  return host;
}

/** What the AWS SDK takes from its environment to ask this host. */
export function awsEnvironment({ url }: EcsHost): NodeJS.ProcessEnv {
  return {
    AWS_REGION: 'eu-central-1',
    AWS_ENDPOINT_URL_ECS: url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
  };
}
