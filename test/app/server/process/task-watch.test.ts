import type { TaskState } from '../../../../app/server/process/ecs-tasks.ts';
import { openTaskReader, watchTask } from '../../../../app/server/process/task-watch.ts';
import { eventually } from '../../../support/wait.ts';
import { denied, type EcsServer, missing, startEcs, task, taskArn, throttled } from './ecs-server.ts';

let ecs: EcsServer;
let end: () => void = () => undefined;
const variables = {
  AWS_REGION: 'eu-central-1',
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'none',
  AWS_EC2_METADATA_DISABLED: 'true',
};
const before = { ...process.env };

beforeEach(async () => {
  ecs = await startEcs();
  Object.assign(process.env, variables, { AWS_ENDPOINT_URL_ECS: ecs.url });
});

afterEach(async () => {
  end();
  await ecs.stop();
  process.env = { ...before };
});

interface Watched {
  readonly left: TaskState[];
  readonly warnings: { readonly facts: object; readonly text: string }[];
}

function watched(reportEveryMs = 60_000): Watched {
  const left: TaskState[] = [];
  const warnings: { facts: object; text: string }[] = [];
  const warn = ((facts: object, text: string) => warnings.push({ facts, text })) as never;
  end = watchTask({
    reader: openTaskReader(`${ecs.url}/v4/abc`),
    log: { warn },
    onLeaving: (state) => left.push(state),
    everyMs: 20,
    reportEveryMs,
  });
  return { left, warnings };
}

const askedAtLeast = (count: number) => eventually(`${count} questions`, () => ecs.asked.length >= count);

test('a task that runs is asked about again and again; once it is deactivating that is told, once', async () => {
  const { left, warnings } = watched();
  await askedAtLeast(3);
  expect(ecs.asked[0]).toEqual({
    target: 'AmazonEC2ContainerServiceV20141113.DescribeTasks',
    body: { cluster: 'arn:aws:ecs:eu-central-1:111122223333:cluster/realtime', tasks: [taskArn] },
  });
  expect(left).toEqual([]);
  ecs.answer = task('DEACTIVATING', 'STOPPED');
  await eventually('it to be told', () => left.length > 0);
  const { length } = ecs.asked;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(left).toEqual([{ lastStatus: 'DEACTIVATING', desiredStatus: 'STOPPED' }]);
  expect(ecs.asked.length).toBe(length);
  expect(warnings).toEqual([]);
});

test.each([
  ['STOPPING', 'STOPPED'],
  ['DEPROVISIONING', 'STOPPED'],
  ['RUNNING', 'STOPPED'],
  ['DEACTIVATING', 'RUNNING'],
])('%s, to be %s: it leaves', async (lastStatus, desiredStatus) => {
  ecs.answer = task(lastStatus, desiredStatus);
  const { left } = watched();
  await eventually('it to be told', () => left.length > 0);
});

test.each([
  ['denied', denied, 'ecs:DescribeTasks'],
  ['throttled', throttled, 'Rate exceeded'],
  ['a task that is not known', missing, 'MISSING'],
  ['a fault of ECS', { status: 500, body: {} }, 'It drains at SIGTERM alone'],
])('%s: told once in a while, asked on, and the end is still noticed', async (_case, answer, words) => {
  ecs.answer = answer;
  const { left, warnings } = watched();
  await askedAtLeast(4);
  expect(warnings.length).toBe(1);
  expect(warnings[0]?.text).toContain(words);
  ecs.answer = task('DEACTIVATING', 'STOPPED');
  await eventually('it to be told', () => left.length > 0);
});

test('a failure that lasts is told again, with how often it came', async () => {
  ecs.answer = denied;
  const { warnings } = watched(1);
  await eventually('three warnings', () => warnings.length >= 3);
  expect(warnings[1]?.facts).toMatchObject({ cause: 'AccessDeniedException', failures: 1 });
});

test('a metadata endpoint that fails at first is asked again', async () => {
  ecs.metadataStatus = 500;
  const { left, warnings } = watched();
  await eventually('a warning', () => warnings.length > 0);
  expect(warnings[0]?.text).toContain('the task metadata endpoint answered 500');
  ecs.metadataStatus = 200;
  ecs.answer = task('DEACTIVATING', 'STOPPED');
  await eventually('it to be told', () => left.length > 0);
});

test('ended: nothing is asked any more', async () => {
  const { left } = watched();
  await askedAtLeast(1);
  end();
  ecs.answer = task('DEACTIVATING', 'STOPPED');
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(left).toEqual([]);
});
