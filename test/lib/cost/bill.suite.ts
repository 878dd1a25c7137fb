import { readFileSync } from 'node:fs';
import { serviceMetrics } from '../../../app/metric-names.ts';
import { billOf, type Template } from '../../../lib/cost/bill.ts';
import { cost } from '../../../lib/cost/cost.ts';
import { sidecarMetrics } from '../../../livekit/sidecar/names.ts';
import { describeInFull } from '../../support/full-runs.ts';
import { emittedMetrics } from '../stack/emitted-metrics.ts';
import { templateOf, type VariantName, variants } from '../stack/templates.ts';

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

test('the README says what dev and prod cost, without and with calls', () => {
  const [, chapter = ''] = /^### Cost\n([\s\S]*?)^### /m.exec(readFileSync('README.md', 'utf8')) ?? [];
  const said = [...chapter.matchAll(/\$(\d+)/g)].map(([, dollars]) => Number(dollars));
  const bills = [{}, variants['LiveKit on Fargate'], variants.prod, variants['own domain']].map(bill);
  expect(said).toEqual(bills.map(({ total }) => Math.round(total)));
});

test.each(Object.keys(variants) as VariantName[])(
  'every resource of "%s" has a price, or is known to be free',
  (variant) => {
    expect(bill(variants[variant]).unknown).toEqual([]);
  },
);

test('resources are counted', () => {
  const prod = variants['own domain'];
  expect(quantityOf(/^cache\.m7g\.large/, prod)).toBe(2);
  // Three of the service, two of the voice agent.
  expect(quantityOf(/^task/, prod)).toBe(5);
  expect(quantityOf(/^NAT/, prod)).toBe(2);
  expect(quantityOf(/^c7g/, prod)).toBe(2);
  // Two of the NAT gateways, three of each public load balancer, two of the hosts, two of the agent.
  expect(quantityOf(/IPv4/, prod)).toBe(12);
  expect(quantityOf(/^network load balancer$/, prod)).toBe(1);
  expect(quantityOf(/^secret/)).toBe(5);
});

test('nodes of all shards are counted, and those of LiveKit’s own cache', () => {
  const shards = variants['several shards'];
  expect(quantityOf(/^cache\.m7g\.large/, shards)).toBe(6);
  expect(quantityOf(/^cache\.t4g\.small/, shards)).toBe(2);
  expect(quantityOf(/^cache\.m7g\.large/, { ...shards, cacheShards: 6, cacheReplicas: 2 })).toBe(18);
});

describe('what is dearer is a knob, whose text says the price', () => {
  const texts = JSON.parse(readFileSync('lib/config/cdk.schema.json', 'utf8')).properties.context.properties;
  function assertPrice(knob: string, said: RegExp, base: Record<string, unknown>): void {
    const [, price] = said.exec(texts[knob].description) ?? [];
    const [on, off] = [true, false].map((value) => bill({ ...base, [knob]: value }).total);
    // An alarm or two come with it.
    expect([knob, Math.abs(Number(on) - Number(off) - Number(price)) < 1]).toEqual([knob, true]);
  }

  test.each([
    ['waf', /about \$(\d+) a month/],
    ['privateLink', /\$(\d+) in two zones/],
  ])('%s in dev', (knob, said) => assertPrice(knob, said, {}));

  describeInFull('stack', 'the others', () => {
    test.each([
      ['dashboard', /About \$(\d+) a month/, {}],
      ['privateLink', /\$(\d+) in three/, variants.prod],
      ['containerInsights', /\$(\d+) a month in prod/, variants.prod],
      ['containerInsights', /\$(\d+) with two LiveKit nodes and the agent/, variants['own domain']],
    ])('%s: %s', assertPrice);
  });
});

test('the text of shards says what they cost more than one node, without and with LiveKit', () => {
  const { properties } = JSON.parse(readFileSync('lib/config/cdk.schema.json', 'utf8')).properties.context;
  const said = [...properties.cacheShards.description.matchAll(/\$(\d+)/g)].map(([, dollars]) =>
    Number(dollars),
  );
  const shards = variants['several shards'];
  const dearer = [0, 2].map((liveKitNodes) => {
    const [many, one] = [3, 1].map((cacheShards) => bill({ ...shards, liveKitNodes, cacheShards }).total);
    return Math.round(Number(many) - Number(one));
  });
  expect(said).toEqual(dearer);
});

test('a task more costs a task more', () => {
  const price = 0.25 * 0.03238 + 0.5 * 0.00356 + 0.005;
  // And the alarm's threshold costs nothing.
  expect(bill({ minTasks: 3 }).total - bill().total).toBeCloseTo(price * 730, 2);
});

test('a type without a price is reported, and left out', () => {
  const template = { Resources: { Index: { Type: 'AWS::OpenSearchService::Domain' } } };
  expect(billOf(template)).toEqual({ items: [], total: 0, unknown: ['AWS::OpenSearchService::Domain'] });
});

test('of a service that scales, the least of its tasks are counted, and no other service’s', () => {
  // Two of the service at least, two of LiveKit, two of the agent: all of them scale.
  const quantities = bill(variants['everything on'])
    .items.filter(({ what }) => what.startsWith('task'))
    .map(({ quantity }) => quantity);
  expect(quantities.reduce((sum, quantity) => sum + quantity, 0)).toBe(6);
});

test('metrics of the sidecars are as many as they write', () => {
  const custom = (knobs: Record<string, unknown>) => quantityOf(/^custom metric/, knobs) ?? 0;
  const withoutAgent = { liveKitNodes: 2, agentTasks: 0 };
  expect(custom(withoutAgent) - custom({})).toBe(sidecarMetrics.livekit.length);
  expect(custom(variants['LiveKit on Fargate']) - custom(withoutAgent)).toBe(sidecarMetrics.agent.length);
});

test('metrics of the service are as many as it writes', () => {
  const written = emittedMetrics('Any', 'any')._aws.CloudWatchMetrics[0]?.Metrics ?? [];
  expect(written.map(({ Name }) => Name).sort()).toEqual([...serviceMetrics].sort());
  expect(quantityOf(/^custom metric/, variants['no backplane'])).toBe(serviceMetrics.length);
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
    [['--conections', '5'], 'Did you mean --connections?'],
    [['-c', 'mintasks=3'], '`mintasks` must be a knob, got: "3"; did you mean minTasks?'],
    [['-c', 'minTasks=-1'], '`minTasks` must be a whole number from 0 to 100, got: -1'],
  ])('%j is refused', async (args, message) => {
    const { code, output, errors } = await run(...args);
    expect([code, output]).toEqual([1, '']);
    expect(errors).toContain(message);
  });
});
