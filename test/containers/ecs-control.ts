import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A task, as ECS tells of it. */
export interface ControlledTask {
  readonly arn: string;
  readonly service: string;
  lastStatus: 'RUNNING' | 'DEACTIVATING';
  desiredStatus: 'RUNNING' | 'STOPPED';
  /** Every change of protection that its sidecar asked for. */
  readonly protection: boolean[];
}

/** What ECS shows to containers: the API, the task metadata, the protection of tasks; and the EC2 host's metadata. */
export interface EcsControl {
  readonly port: number;
  addTask(service: string): ControlledTask;
  /** The variables that ECS sets in a task's containers, for containers that reach this machine as `host`. */
  variablesOf(task: ControlledTask, host: string): Record<string, string>;
  stop(): Promise<void>;
}

const cluster = 'arn:aws:ecs:us-east-1:123456789012:cluster/realtime';

export async function startEcsControl(): Promise<EcsControl> {
  const tasks: ControlledTask[] = [];
  const described = ({ arn, service, lastStatus, desiredStatus }: ControlledTask) => ({
    taskArn: arn,
    clusterArn: cluster,
    group: `service:${service}`,
    startedBy: 'ecs-svc/1',
    lastStatus,
    desiredStatus,
  });
  const actions: Record<string, (request: { tasks?: string[]; services?: string[] }) => object> = {
    DescribeTasks: ({ tasks: arns = [] }) => ({
      tasks: tasks.filter(({ arn }) => arns.includes(arn)).map(described),
      failures: [],
    }),
    DescribeServices: ({ services: [name = ''] = [] }) => {
      const count = tasks.filter(({ service }) => service === name).length;
      const counts = { desiredCount: count, runningCount: count, failedTasks: 0 };
      const deployments = [{ id: 'ecs-svc/1', status: 'PRIMARY', createdAt: 0, ...counts }];
      return { services: [{ serviceName: name, runningCount: count, deployments }], failures: [] };
    },
  };
  const http = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const { method, url = '', headers } = request;
    const answer = (body: object | string, status = 200) => {
      response.writeHead(status, {
        'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
      });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    if (url === '/latest/api/token' && method === 'PUT') return answer('the-token');
    // A host's public address; here, the one under which this machine and other containers find the container.
    if (url === '/latest/meta-data/public-ipv4') return answer(request.socket.remoteAddress as string);
    const task = tasks[Number(/^\/(?:v4|api)\/(\d+)\//.exec(url)?.[1])];
    if (task && url.endsWith('/task')) return answer({ Cluster: cluster, TaskARN: task.arn });
    if (task && url.endsWith('/task-protection/v1/state') && method === 'PUT') {
      const { ProtectionEnabled } = JSON.parse(text);
      task.protection.push(ProtectionEnabled);
      return answer({ protection: { ProtectionEnabled, TaskArn: task.arn, ExpirationDate: null } });
    }
    const action = actions[String(headers['x-amz-target']).split('.').at(-1) as string];
    return action ? answer(action(JSON.parse(text))) : answer({}, 404);
  });
  http.listen(0, '0.0.0.0');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  return {
    port,
    addTask: (service) => {
      const arn = `${cluster.replace(':cluster/', ':task/')}/${tasks.length}`;
      const task: ControlledTask = {
        arn,
        service,
        lastStatus: 'RUNNING',
        desiredStatus: 'RUNNING',
        protection: [],
      };
      tasks.push(task);
      return task;
    },
    variablesOf: (task, host) => {
      const at = `http://${host}:${port}`;
      return {
        ECS_CONTAINER_METADATA_URI_V4: `${at}/v4/${tasks.indexOf(task)}`,
        ECS_AGENT_URI: `${at}/api/${tasks.indexOf(task)}`,
        AWS_ENDPOINT_URL_ECS: at,
        AWS_EC2_METADATA_SERVICE_ENDPOINT: at,
      };
    },
    stop: async () => {
      http.close();
      http.closeAllConnections();
    },
  };
}
