import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentNames } from '../../../app/names.ts';
import { readEnvironment } from '../../../app/server/environment.ts';
import { readSettings as readAgent } from '../../../livekit/agent/environment.ts';
import { agentEnvironment } from '../../../livekit/agent/names.ts';
import { liveKitEnvironment } from '../../../livekit/config/environment.ts';
import { readSettings as readSidecar } from '../../../livekit/sidecar/environment.ts';
import { sidecarEnvironment } from '../../../livekit/sidecar/names.ts';
import { keysIn, knownKeys } from '../../livekit/config/known-keys.ts';
import { type Json, resourcesOf, variablesOf } from '../aws/synthesis.ts';
import { templateOf, variants } from './templates.ts';

/** The sources of each container that calls AWS. */
const sources = { app: 'app/server', sidecar: 'livekit/sidecar', agent: 'livekit/agent' } as const;

/** Prefix of the actions of each client of the SDK. */
const prefixes: Readonly<Record<string, string>> = {
  'bedrock-runtime': 'bedrock',
  ecs: 'ecs',
  'secrets-manager': 'secretsmanager',
  ssm: 'ssm',
};

/** Commands whose action has another name. */
const actionNames: Readonly<Record<string, string>> = {
  'bedrock:ConverseStream': 'bedrock:InvokeModelWithResponseStream',
};

/** The ECS agent's endpoint that changes a task's protection calls ECS with the task's role. */
const endpoints: Readonly<Record<string, string>> = {
  '/task-protection/v1/state': 'ecs:UpdateTaskProtection',
};

const textsIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
    .map((path) => readFileSync(join(folder, path), 'utf8'));

/** The IAM actions of all calls in a source file. */
function actionsIn(text: string): string[] {
  const clients = [...text.matchAll(/import \{([^}]+)\} from '@aws-sdk\/client-([\w-]+)'/g)];
  const commands = clients.flatMap(([, names = '', client = '']) =>
    [...names.matchAll(/\b(\w+)Command\b/g)]
      .filter(([, command]) => text.includes(`new ${command}Command(`))
      .map(([, command]) => `${prefixes[client] ?? `unknown client ${client}`}:${command}`),
  );
  const called = Object.entries(endpoints).flatMap(([path, action]) => (text.includes(path) ? [action] : []));
  return [...commands.map((action) => actionNames[action] ?? action), ...called];
}

const calls = Object.fromEntries(
  Object.entries(sources).map(([name, folder]) => [
    name,
    [...new Set(textsIn(folder).flatMap(actionsIn))].sort(),
  ]),
);

const listOf = (value: Json): Json[] => (Array.isArray(value) ? value : [value]);
const tasksOf = (knobs: Json): Json[] => resourcesOf(templateOf(knobs), 'AWS::ECS::TaskDefinition');
const statementsOf = (knobs: Json, role: Json): Json[] =>
  resourcesOf(templateOf(knobs), 'AWS::IAM::Policy')
    .filter(({ Roles }) => Roles.some(({ Ref }: Json) => Ref === role['Fn::GetAtt'][0]))
    .flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
const actionsOf = (statements: Json[]): string[] => statements.flatMap(({ Action }) => listOf(Action));

test('the walk finds the calls of each container', () => {
  expect(calls).toEqual({
    app: [
      'bedrock:InvokeModelWithResponseStream',
      'ecs:DescribeTasks',
      'secretsmanager:GetSecretValue',
      'ssm:GetParameter',
    ],
    sidecar: ['ecs:DescribeServices', 'ecs:DescribeTasks', 'ecs:UpdateTaskProtection'],
    agent: [],
  });
});

/** Secrets Manager decrypts with the role of whoever reads a secret under a customer's key. */
const followsFrom: Readonly<Record<string, string>> = { 'kms:Decrypt': 'secretsmanager:GetSecretValue' };

const callsOf = (task: Json): string[] =>
  [...new Set(task.ContainerDefinitions.flatMap(({ Name }: Json) => calls[Name] ?? []))].sort() as string[];

test('where everything is on, each task’s role allows each call of its containers, and no other', () => {
  const knobs = variants['everything on'];
  expect(tasksOf(knobs)).toHaveLength(3);
  for (const task of tasksOf(knobs)) {
    const allowed = actionsOf(statementsOf(knobs, task.TaskRoleArn));
    // `ecsExec`: the session's own.
    expect(allowed.filter((action) => !action.startsWith('ssmmessages:')).sort()).toEqual(callsOf(task));
  }
});

describe.each(Object.entries(variants))('%s', (_, knobs: Json) => {
  const tasks = tasksOf(knobs);

  test('no task’s role allows what none of its containers calls', () => {
    for (const task of tasks) {
      const unused = actionsOf(statementsOf(knobs, task.TaskRoleArn)).filter(
        (action) =>
          !callsOf(task).includes(followsFrom[action] ?? action) && !action.startsWith('ssmmessages:'),
      );
      expect(unused).toEqual([]);
    }
  });

  test('ECS may read every secret that it gives to a container, for as long as a task may start', () => {
    for (const task of tasks) {
      const readable = statementsOf(knobs, task.ExecutionRoleArn)
        .filter(({ Action }) => listOf(Action).includes('secretsmanager:GetSecretValue'))
        .flatMap(({ Resource }) => listOf(Resource).map((resource) => resource.Ref ?? resource));
      const given = task.ContainerDefinitions.flatMap(({ Secrets = [] }: Json) => Secrets).map(secretOf);
      expect(given.length).toBeGreaterThan(0);
      expect(given.filter((secret: string) => !readable.includes(secret))).toEqual([]);
    }
  });

  test('every container understands its variables, and is given none that it does not know', () => {
    for (const container of tasks.flatMap(({ ContainerDefinitions }) => ContainerDefinitions)) {
      const variables = allVariablesOf(container);
      const { known, read } = readers[container.Name as keyof typeof readers];
      expect(() => read(variables)).not.toThrow();
      const isForeign = container.Name === 'agent' && 'agentEnvironment' in knobs;
      if (!isForeign) expect(Object.keys(variables).filter((name) => !known.includes(name))).toEqual([]);
    }
  });
});

/** The secret that a variable is taken from: its logical id, or the ARN of one that exists already. */
function secretOf({ ValueFrom }: Json): string {
  if (typeof ValueFrom === 'string') return ValueFrom.split(':').slice(0, 7).join(':');
  return ValueFrom.Ref ?? ValueFrom['Fn::Join'][1].find(({ Ref }: Json) => Ref).Ref;
}

/** A container's variables, with a long text for each secret. */
const allVariablesOf = (container: Json): Record<string, string> => ({
  ...variablesOf(container),
  ...Object.fromEntries(
    (container.Secrets ?? []).map(({ Name }: Json) => [Name, /KEY$/.test(Name) ? 'a-key' : 's'.repeat(64)]),
  ),
});

/** What ECS sets in each container. */
const ecs = {
  AWS_REGION: 'us-east-1',
  ECS_AGENT_URI: 'http://169.254.170.2/api/1',
  ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4/1',
};

const node: readonly string[] = [
  ...Object.values(liveKitEnvironment),
  // Which its command makes into LIVEKIT_KEYS.
  'LIVEKIT_API_SECRET_PREVIOUS',
  'LIVEKIT_API_SECRET',
  'LIVEKIT_API_SECRET_NEXT',
];

/** How each container reads its variables, and the names that it knows. */
const readers = {
  app: { known: Object.values(environmentNames) as string[], read: readEnvironment },
  sidecar: {
    known: [...Object.values(sidecarEnvironment), 'AWS_REGION'] as string[],
    // Agents of EC2 hosts may not set AWS_REGION: the template has to.
    read: ({ AWS_REGION, ...variables }: Record<string, string>) =>
      readSidecar({ ...ecs, ...variables, AWS_REGION }),
  },
  agent: { known: Object.values(agentEnvironment) as string[], read: readAgent },
  livekit: {
    known: node,
    read: ({ LIVEKIT_CONFIG = '' }: Record<string, string>) => {
      const unknown = keysIn(JSON.parse(LIVEKIT_CONFIG)).filter((key) => !knownKeys.has(key));
      if (unknown.length > 0) throw new Error(`LiveKit does not start with ${unknown.join(', ')}`);
    },
  },
};
