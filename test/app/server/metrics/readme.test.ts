import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmfReporter } from '../../../../app/server/metrics/emf.ts';
import { Metrics } from '../../../../app/server/metrics/metrics.ts';
import { linesOf } from '../../../support/log-lines.ts';

const readme = readFileSync(join(import.meta.dirname, '../../../../app/server/metrics/README.md'), 'utf8');
const [prometheus = '', cloudWatch = ''] = readme.split('## CloudWatch');

/** The names in the first column. */
function namesIn(section: string): string[] {
  const cells = section.split('\n').flatMap((line) => /^\| (`.*?) \|/.exec(line)?.[1] ?? []);
  return cells.flatMap((cell) => Array.from(cell.matchAll(/`(\w+)`/g), ([, name]) => name as string)).sort();
}

const metrics = new Metrics();
afterAll(() => metrics.close());

test('the table has every metric of the registry, and no other', () => {
  const registered = metrics.registry.getMetricsAsArray().map(({ name }) => name);
  expect(namesIn(prometheus)).toEqual(registered.sort());
});

test('metrics of our own follow the conventions, and say what a rise means', async () => {
  const own = (await metrics.registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('realtime_'));
  expect(own.length).toBeGreaterThan(20);
  for (const { name, type, help } of own) {
    expect(name).toMatch(/^realtime_[a-z_]+$/);
    expect([name, name.endsWith('_total')]).toEqual([name, (type as unknown) === 'counter']);
    expect(name).not.toMatch(/_(ms|milliseconds|kb|mb|percent)(_|$)/);
    expect(help).toMatch(/rise|burst|Many at|for more than/);
  }
});

test('the table for CloudWatch has every metric of the line, and no other', () => {
  const { log, lines } = linesOf();
  metrics.backplane.roundTrip(1);
  metrics.rooms.countersOf('chat').delayed(1);
  const reporter = new EmfReporter({ metrics, namespace: 'N', deployment: 'd', log });
  reporter.report('minute');
  reporter.close();
  const [{ _aws }] = lines() as [{ _aws: { CloudWatchMetrics: [{ Metrics: { Name: string }[] }] } }];
  const names = _aws.CloudWatchMetrics[0].Metrics.map(({ Name }) => Name);
  expect(namesIn(cloudWatch)).toEqual(names.sort());
});
