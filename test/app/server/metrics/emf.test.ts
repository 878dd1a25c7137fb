import { io } from 'socket.io-client';
import { z } from 'zod';
import {
  metricDimensions,
  metricNamespace,
  metricService,
  serviceMetrics,
} from '../../../../app/metric-names.ts';
import { EmfReporter, emfDocument, untilMiddleOfMinute } from '../../../../app/server/metrics/emf.ts';
import { Metrics } from '../../../../app/server/metrics/metrics.ts';
import { linesOf } from '../../../support/log-lines.ts';
import { startInstance } from '../../../support/servers/service.ts';
import { eventually } from '../../../support/wait.ts';

const units = ['Seconds', 'Milliseconds', 'Bytes', 'Count', 'None'];
const name = (longest: number) => z.string().min(1).max(longest).regex(/\S/);

/** The schema that the specification of the format gives, in zod. */
const metadata = z.strictObject({
  Timestamp: z.int(),
  CloudWatchMetrics: z
    .array(
      z.strictObject({
        Namespace: name(255),
        Dimensions: z.array(z.array(name(250)).min(1).max(30)).min(1),
        Metrics: z
          .array(z.strictObject({ Name: name(255), Unit: z.enum(units) }))
          .min(1)
          .max(100),
      }),
    )
    .min(1),
});

/** Metrics are numbers or at most 100 of them, dimensions are texts, and both stand at the top. @returns metrics by name */
function metricsIn(line: Record<string, unknown>): Record<string, unknown> {
  const { CloudWatchMetrics } = metadata.parse(line._aws);
  const values: Record<string, unknown> = {};
  for (const { Dimensions, Metrics: declared } of CloudWatchMetrics) {
    for (const dimension of Dimensions.flat()) name(1_024).parse(line[dimension]);
    for (const { Name } of declared) {
      values[Name] = z.union([z.number(), z.array(z.number()).min(1).max(100)]).parse(line[Name]);
    }
  }
  return values;
}

function emfLines(output: string): Record<string, unknown>[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => '_aws' in line);
}

const calls: readonly (readonly [method: string, request: object])[] = [
  ['join', { room: 'r' }],
  ['publish', { room: 'r', body: 1 }],
  ['publish', { room: 'r', body: 2 }],
];

test('the line of a process fits the specification, and no dimension names an instance', async () => {
  const environment = {
    EMF_NAMESPACE: 'Realtime',
    DEPLOYMENT: 'shop',
    LOG_LEVEL: 'warn',
    DRAIN_SECONDS: '0',
  };
  const app = await startInstance('app-1', environment);
  const socket = io(`${app.url}/chat`, { transports: ['websocket'], forceNew: true, reconnection: false });
  for (const [method, request] of calls) await socket.emitWithAck(method, request);
  await app.kill('SIGTERM');
  socket.disconnect();
  await eventually('both lines of the drain', () => emfLines(app.output()).length >= 2);
  // A slow start takes a minute, whose line has no event.
  const lines = emfLines(app.output()).filter(({ event }) => event !== undefined);
  expect(lines.map(({ event }) => event)).toEqual(expect.arrayContaining(['drain started', 'drain ended']));
  for (const line of lines) {
    expect(metricsIn(line)).toMatchObject({ DegradedSeconds: 0, Gaps: 0 });
    expect(line._aws).not.toMatchObject({
      CloudWatchMetrics: [{ Metrics: expect.arrayContaining([{ Name: 'Connections', Unit: 'Count' }]) }],
    });
    expect(line._aws).toMatchObject({
      CloudWatchMetrics: [{ Namespace: 'Realtime', Dimensions: [['Deployment', 'Service']] }],
    });
    expect(line).toMatchObject({ Deployment: 'shop', Service: 'app' });
    expect(Math.abs(Number((line._aws as { Timestamp: number }).Timestamp) - Date.now())).toBeLessThan(
      600_000,
    );
    expect(JSON.stringify(line).length).toBeLessThan(256_000);
  }
  // Each line has what was added since the one before, so that their sum is what happened.
  const sum = (metric: string) => lines.reduce((total, line) => total + Number(line[metric]), 0);
  const happened = ['Connects', 'Disconnects', 'Joins', 'Publishes', 'Deliveries'].map((name) => [
    name,
    sum(name),
  ]);
  expect(happened).toEqual([
    ['Connects', 1],
    ['Disconnects', 1],
    ['Joins', 1],
    ['Publishes', 2],
    ['Deliveries', 2],
  ]);
  expect(lines.at(-1)).toMatchObject({ connections: 0 });
});

test('the line of each minute has what alarms, scaling and the dashboard go by, and nothing else', () => {
  const metrics = new Metrics();
  metrics.backplane.roundTrip(3);
  metrics.rooms.countersOf('chat').delayed(20);
  const { log, lines } = linesOf('silent');
  const reporter = new EmfReporter({ metrics, namespace: metricNamespace, deployment: 'd', log });
  reporter.report('minute');
  const written = metricsIn(lines()[0] as Record<string, unknown>);
  expect(Object.keys(written).sort()).toEqual([...serviceMetrics].sort());
  expect(written).toMatchObject({
    Connections: 0,
    DegradedSeconds: 0,
    RedisRoundTrip: [3],
    PublishToDelivery: [20],
  });
  expect(lines()[0]).toMatchObject({
    [metricDimensions.deployment]: 'd',
    [metricDimensions.service]: metricService,
  });
  reporter.close();
  metrics.close();
});

test('times are samples of their minute, so that CloudWatch knows p50 and p99, and of no other', () => {
  const metrics = new Metrics();
  const { log, lines } = linesOf('silent');
  const reporter = new EmfReporter({ metrics, namespace: 'N', deployment: 'd', log });
  const counters = metrics.rooms.countersOf('chat');
  const percentile = (values: number[], share: number) =>
    [...values].sort((one, other) => one - other)[Math.ceil(values.length * share) - 1] as number;
  // One message of four is late: no more than 100 of them are told, and these still say so.
  for (let message = 0; message < 20_000; message += 1) counters.delayed(message % 4 === 0 ? 1_000 : 5);
  for (let beat = 1; beat <= 60; beat += 1) metrics.backplane.roundTrip(beat / 3);
  reporter.report('minute');
  reporter.report('minute');
  const [first, second] = lines().map(metricsIn) as [Record<string, number[]>, Record<string, number[]>];
  const { PublishToDelivery: delays = [], RedisRoundTrip: beats = [] } = first;
  expect([delays.length, percentile(delays, 0.5), percentile(delays, 0.99)]).toEqual([100, 5, 1_000]);
  expect([beats.length, beats[0], beats.at(-1)]).toEqual([60, 0.33, 20]);
  expect(Object.keys(second)).not.toContain('PublishToDelivery');
  expect(Object.keys(second)).not.toContain('RedisRoundTrip');
  reporter.close();
  metrics.close();
});

test('without a namespace there is no line', async () => {
  const app = await startInstance('app-1', {});
  await app.kill('SIGTERM');
  expect(emfLines(app.output())).toEqual([]);
});

test('what does not fit is an error, since CloudWatch would drop it in silence', () => {
  const many = (length: number) => Array.from({ length }, (_, n) => n);
  const metric = (index: number) => ({ name: `M${index}`, unit: 'Count' as const, value: index });
  expect(() => emfDocument('N', { D: 'd' }, many(101).map(metric))).toThrow('at most 100 metrics, got: 101');
  expect(() => emfDocument('N', { D: 'd' }, [{ name: 'M', unit: 'Count', value: many(101) }])).toThrow(
    'M has more',
  );
});

test('the lag of the event loop is what it was blocked for', async () => {
  const metrics = new Metrics();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const until = Date.now() + 300;
  while (Date.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const [lag] = metrics.eventLoop.takeP99s();
  expect(lag).toBeGreaterThan(200);
  metrics.close();
});

test.each([0, 1, 29_999, 30_000, 30_001, 59_999])(
  'the next line after %i ms of a minute is in a middle',
  (now) => {
    const wait = untilMiddleOfMinute(1_700_000_040_000 + now);
    expect(wait).toBeGreaterThan(0);
    expect((now + wait) % 60_000).toBe(30_000);
  },
);
