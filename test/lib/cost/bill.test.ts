import { billOf } from '../../../lib/cost/bill.ts';
import { cost } from '../../../lib/cost/cost.ts';
import { serviceMetricCount, sidecarMetricCounts } from '../../../lib/cost/line-items.ts';
import type { Template } from '../../../lib/cost/template.ts';
import { emittedMetrics } from '../aws/observability/emitted-metrics.ts';
import { templateOf, variants } from '../aws/stack-templates.ts';

const bill = (knobs: Record<string, unknown> = {}) => billOf(templateOf(knobs).toJSON() as Template);
const quantityOf = (what: RegExp, knobs?: Record<string, unknown>) =>
  bill(knobs).items.find((item) => what.test(item.what))?.quantity;

test('dev costs $60 a month at most, before traffic', () => {
  expect(bill().total).toBeLessThanOrEqual(60);
  expect(bill().total).toBeGreaterThan(40);
});

test('prod with two LiveKit hosts and a domain costs $800 a month at most, before traffic', () => {
  const { total } = bill(variants['own domain']);
  expect(total).toBeLessThanOrEqual(800);
  expect(total).toBeGreaterThan(500);
});

test.each(['dev', 'own domain', 'everything on'] as const)(
  'everything of "%s" has a price, or is known to be free',
  (variant) => {
    expect(bill(variants[variant]).unknown).toEqual([]);
  },
);

test('what comes in numbers is counted', () => {
  const prod = variants['own domain'];
  expect(quantityOf(/^cache\.m7g\.large/, prod)).toBe(2);
  // Three of the service, two of the voice agent.
  expect(quantityOf(/^task/, prod)).toBe(5);
  expect(quantityOf(/^NAT/, prod)).toBe(2);
  expect(quantityOf(/^c7g/, prod)).toBe(2);
  // Two of the NAT gateways, three of each load balancer, two of the hosts.
  expect(quantityOf(/IPv4/, prod)).toBe(10);
  expect(quantityOf(/^network load balancer$/, prod)).toBe(1);
  expect(quantityOf(/^secret/)).toBe(5);
});

test('a task more costs a task more', () => {
  const price = 0.25 * 0.03238 + 0.5 * 0.00356 + 0.005;
  // And the alarm's threshold costs nothing.
  expect(bill({ minTasks: 3 }).total - bill().total).toBeCloseTo(price * 730, 2);
});

test('a type that nobody has priced is said, and left out', () => {
  const template = { Resources: { Index: { Type: 'AWS::OpenSearchService::Domain' } } };
  expect(billOf(template)).toEqual({ items: [], total: 0, unknown: ['AWS::OpenSearchService::Domain'] });
});

test('of a service that scales, the least of its tasks are counted, and no other service’s', () => {
  const scaling = { environment: 'prod', liveKitNodes: 2, agentTasks: 4, agentMaxTasks: 9 };
  // Three of the service, four of the agent.
  expect(quantityOf(/^task/, scaling)).toBe(7);
});

test('metrics of the sidecars are as many as they write', async () => {
  const custom = (knobs: Record<string, unknown>) => quantityOf(/^custom metric/, knobs) ?? 0;
  const { node, agent } = sidecarMetricCounts;
  const withoutAgent = { liveKitNodes: 2, agentTasks: 0 };
  expect(custom(withoutAgent) - custom({})).toBe(node);
  expect(custom({ liveKitNodes: 2 }) - custom(withoutAgent)).toBe(agent);
});

test('metrics of the service are as many as it writes', () => {
  expect(emittedMetrics('Any', 'any')._aws.CloudWatchMetrics[0]?.Metrics).toHaveLength(serviceMetricCount);
});

describe('the command', () => {
  async function run(...args: string[]) {
    let [output, errors] = ['', ''];
    const code = await cost(args, {
      output: { write: (text) => (output += text) },
      errors: { write: (text) => (errors += text) },
    });
    return { code, output, errors };
  }

  test('it prints a bill of the template, highest line first, with its date', async () => {
    const { code, output } = await run();
    expect(code).toBe(0);
    expect(output).toMatch(/^ +[\d.]+ {2} +1 × load balancer\n/);
    expect(output).toMatch(
      / {2}a month before traffic\nus-east-1, on demand, prices of 2026-11, 730 hours\n$/,
    );
  });

  test('it takes the knobs of the stack', async () => {
    const { output } = await run('-c', 'backplane=none', '--json');
    const { items, total } = JSON.parse(output);
    expect(total).toBeLessThan(45);
    expect(items.filter(({ what }: { what: string }) => what.startsWith('cache.'))).toEqual([]);
  });

  test('it plans for a load', async () => {
    const { output } = await run('--connections', '10000', '--publishes', '200', '--participants', '50');
    expect(output).toMatch(/3 × tasks of 1 vCPU and 2 GB: connections of a task/);
    expect(output).toMatch(/2 × cache\./);
    expect(output).toMatch(/3 × LiveKit on c7g.xlarge/);
  });

  test.each([
    [['-c', 'backplane'], '`-c` must be knob=value, got: backplane'],
    [['--connections', 'many'], '`--connections` must be a number from 0, got: many'],
    [['--users', '5'], "Unknown option '--users'"],
    [['-c', 'minTasks=0'], '`minTasks` must be a whole number from 1 to 100, got: 0'],
  ])('%j is refused', async (args, message) => {
    const { code, output, errors } = await run(...args);
    expect([code, output]).toEqual([1, '']);
    expect(errors).toContain(message);
  });
});
