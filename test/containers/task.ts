import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Json } from '../lib/aws/synthesis.ts';
import { eventually } from '../support/wait.ts';
import { type Deployment, hosts } from './deployment.ts';
import type { ControlledTask } from './ecs-control.ts';
import { engineCommand, exitCodeIn, logsOf, readOnlyFlags } from './engine.ts';

/** A task whose containers run. */
export interface RunningTask {
  readonly id: string;
  readonly control: ControlledTask;
  /** The port of this machine that leads to a container's. */
  portOf(containerPort: number): number;
  /** What a container has written so far. */
  logs(container: string): Promise<string>;
  /** The exit code of a command in a container. */
  exitCode(container: string, command: readonly string[]): Promise<number>;
  /** Resolves when a container passes its health check. */
  healthy(container: string): Promise<void>;
  /** What ECS does: SIGTERM, or what the image says, and SIGKILL when the stop timeout is over. @returns exit codes */
  stop(): Promise<Record<string, number>>;
  remove(): Promise<void>;
}

/** What this machine's engine needs besides, such as limits that are lower than its defaults. */
const machineFlags = process.env.CONTAINER_FLAGS?.split(' ') ?? [];

/** Where containers find the certificate of the cache, which no public authority has signed. */
const caPath = '/etc/realtime-ca.pem';

/** Runs all containers of a task definition as ECS does: in one network, those first that others depend on. */
export async function startTask(deployment: Deployment, container: string): Promise<RunningTask> {
  const definition = deployment.template.taskOf(container);
  const containers = inOrder(definition.ContainerDefinitions);
  const id = `realtime-${container}-${randomBytes(4).toString('hex')}`;
  const control = deployment.ecs.addTask(container);
  const named = new Map(containers.map(({ Name }) => [Name as string, `${id}-${Name}`]));
  const pause = `${id}-pause`;
  const ports = containers.flatMap(({ PortMappings = [] }) => PortMappings.map(portIn));
  const remove = async () => {
    for (const name of [...[...named.values()].reverse(), pause])
      await engineCommand('rm', '-f', '-v', name).catch(() => undefined);
    for (const { Name } of definition.Volumes ?? [])
      await engineCommand('volume', 'rm', '-f', `${id}-${Name}`).catch(() => undefined);
  };
  try {
    await startPause(deployment, pause, ports, containers[0]);
    for (const each of containers) await runContainer(deployment, control, { id, pause, definition: each });
  } catch (error) {
    await remove();
    throw error;
  }
  const published = new Map<number, number>();
  for (const port of ports) {
    const [line = ''] = (await engineCommand('port', pause, `${port}/tcp`)).split('\n');
    published.set(port, Number(line.slice(line.lastIndexOf(':') + 1)));
  }
  const nameOf = (name: string) => named.get(name) as string;
  const task: RunningTask = {
    id,
    control,
    portOf: (port) => published.get(port) as number,
    logs: (name) => logsOf(nameOf(name)),
    exitCode: (name, command) => exitCodeIn(nameOf(name), command),
    healthy: async (name) => {
      const { HealthCheck } = containers.find(({ Name }) => Name === name) as Json;
      const [kind, ...words] = HealthCheck.Command;
      const command = kind === 'CMD-SHELL' ? ['sh', '-c', ...words] : words;
      const passes = async () => (await exitCodeIn(nameOf(name), command)) === 0;
      await eventually(`${name} to be healthy`, passes).catch(async (error: Error) => {
        const logs = await Promise.all([...named.values()].map(logsOf));
        throw new Error([error.message, ...logs].join('\n'));
      });
    },
    stop: async () => {
      const codes: Record<string, number> = {};
      // The other way round, as ECS stops containers that depend on each other.
      for (const each of [...containers].reverse()) {
        await engineCommand('stop', '-t', String(each.StopTimeout ?? 30), nameOf(each.Name));
        codes[each.Name] = Number(
          await engineCommand('inspect', '-f', '{{.State.ExitCode}}', nameOf(each.Name)),
        );
      }
      return codes;
    },
    remove,
  };
  return task;
}

const portIn = ({ ContainerPort }: Json): number => ContainerPort;

/** Containers behind those that they depend on. */
function inOrder(containers: readonly Json[]): Json[] {
  const dependsOn = (one: Json, other: Json) =>
    (one.DependsOn ?? []).some(({ ContainerName }: Json) => ContainerName === other.Name);
  return [...containers].sort((one, other) => Number(dependsOn(one, other)) - Number(dependsOn(other, one)));
}

/** ECS's pause container: it has the network that all containers of a task share. */
async function startPause(deployment: Deployment, name: string, ports: readonly number[], first: Json) {
  await engineCommand(
    'run',
    '-d',
    ...['--name', name, '--network', deployment.network],
    ...Object.values(hosts).flatMap((host) => ['--add-host', `${host}:${deployment.gateway}`]),
    ...ports.flatMap((port) => ['-p', `127.0.0.1::${port}`]),
    ...['--entrypoint', 'sleep', await deployment.imageOf(first), '86400'],
  );
}

interface ContainerRun {
  readonly id: string;
  readonly pause: string;
  readonly definition: Json;
}

async function runContainer(
  deployment: Deployment,
  control: ControlledTask,
  { id, pause, definition }: ContainerRun,
) {
  const {
    Name,
    User,
    ReadonlyRootFilesystem,
    Ulimits = [],
    EntryPoint = [],
    Command = [],
    MountPoints = [],
  } = definition;
  const [entry, ...entryWords] = EntryPoint;
  const variables = {
    ...deployment.ecs.variablesOf(control, hosts.aws),
    ...variablesIn(deployment, definition),
  };
  await engineCommand(
    'run',
    '-d',
    ...['--name', `${id}-${Name}`, '--network', `container:${pause}`],
    ...(User ? ['--user', User] : []),
    ...(ReadonlyRootFilesystem ? readOnlyFlags : []),
    ...machineFlags,
    ...ulimitFlags(Ulimits),
    ...MountPoints.flatMap(({ SourceVolume, ContainerPath, ReadOnly }: Json) => [
      '-v',
      `${id}-${SourceVolume}:${ContainerPath}${ReadOnly ? ':ro' : ''}`,
    ]),
    ...['-v', `${deployment.caFile}:${caPath}:ro`],
    ...Object.entries(variables).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
    ...(entry ? ['--entrypoint', entry] : []),
    await deployment.imageOf(definition),
    ...entryWords,
    ...Command,
  );
}

/** What the template gives to a container, and what ECS and the account add. */
function variablesIn(
  deployment: Deployment,
  { Environment = [], Secrets = [] }: Json,
): Record<string, string> {
  return {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: `http://${hosts.aws}:${deployment.awsPort}`,
    NODE_EXTRA_CA_CERTS: caPath,
    SSL_CERT_FILE: caPath,
    ...Object.fromEntries(Environment.map(({ Name, Value }: Json) => [Name, deployment.resolve(Value)])),
    ...Object.fromEntries(Secrets.map(({ Name, ValueFrom }: Json) => [Name, deployment.secretOf(ValueFrom)])),
  };
}

/** The limits of open files, unless this machine has less than that: no engine on it could raise them. */
function ulimitFlags(limits: readonly Json[]): string[] {
  const own = existsSync('/proc/self/limits') ? readFileSync('/proc/self/limits', 'utf8') : '';
  const most = Number(/^Max open files +\S+ +(\d+)/m.exec(own)?.[1] ?? Number.POSITIVE_INFINITY);
  return limits
    .filter(({ HardLimit }) => HardLimit <= most)
    .flatMap(({ Name, SoftLimit, HardLimit }) => ['--ulimit', `${Name}=${SoftLimit}:${HardLimit}`]);
}
