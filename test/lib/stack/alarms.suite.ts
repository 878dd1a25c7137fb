import { readFileSync } from 'node:fs';
import { demotedReason } from '../../../app/metric-names.ts';
import { type Json, resourcesOf } from '../aws/synthesis.ts';
import { emittedMetrics } from './emitted-metrics.ts';
import { templateOf, type VariantName, variants } from './templates.ts';

const prod = templateOf(variants.prod);

/** Scaling policies create and delete alarms of their own, without a description. */
const alarmsIn = (variant: VariantName): Json[] =>
  resourcesOf(templateOf(variants[variant]), 'AWS::CloudWatch::Alarm').filter(
    ({ AlarmDescription }) => AlarmDescription,
  );
const all = (Object.keys(variants) as VariantName[]).flatMap(alarmsIn);
const named = (article: string): Json =>
  alarmsIn('prod').find(({ AlarmDescription }) => AlarmDescription.includes(`"${article}"`));
const articleOf = ({ AlarmDescription }: Json) => /RUNBOOK\.md: "(.+?)"/.exec(AlarmDescription)?.[1] ?? '';

/** The metrics that an alarm reads, whether directly or in an expression. */
function metricsOf({ MetricName, Namespace, Dimensions, Metrics = [] }: Json): Json[] {
  const direct = MetricName ? [{ MetricName, Namespace, Dimensions }] : [];
  return [...direct, ...Metrics.flatMap(({ MetricStat }: Json) => (MetricStat ? [MetricStat.Metric] : []))];
}

const dimensionsOf = ({ Dimensions }: Json): string[] =>
  Dimensions?.map(({ Name }: Json) => Name).sort() ?? [];

describe('the RUNBOOK', () => {
  const [, chapter = ''] = /^## Alarms\n([\s\S]*?)^## /m.exec(readFileSync('RUNBOOK.md', 'utf8')) ?? [];
  const articles = new Map(
    chapter
      .split(/^### /m)
      .slice(1)
      .map((article) => [article.slice(0, article.indexOf('\n')), article]),
  );

  test('has an article for every alarm of any variant, and no article without an alarm', () => {
    expect([...articles.keys()].sort()).toEqual([...new Set(all.map(articleOf))].sort());
  });

  test('says in each article what the alarm means, how to look, and what to do', () => {
    for (const article of articles.values())
      for (const part of ['**Meaning.**', '**Look.**', '**Do.**']) expect(article).toContain(part);
  });
});

test('each says what no data means, and why, and reports to the topic', () => {
  expect(all.length).toBeGreaterThan(Object.keys(variants).length);
  for (const { AlarmDescription, TreatMissingData, AlarmActions, OKActions } of all) {
    expect(AlarmDescription).toMatch(/No data: (fine|alarm|unknown), .{20,}\.$/);
    expect(['notBreaching', 'breaching', 'missing']).toContain(TreatMissingData);
    expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(/^AlarmsTopic/) }]);
    expect(OKActions).toEqual(AlarmActions);
  }
});

test.each(Object.keys(variants) as VariantName[])(
  '%s: each is created after the service that it watches',
  (variant) => {
    const alarms = Object.values(templateOf(variants[variant]).findResources('AWS::CloudWatch::Alarm'));
    for (const { DependsOn = [] } of alarms.filter(
      ({ Properties }: Json) => Properties.AlarmDescription,
    ) as Json[])
      expect(DependsOn).toContainEqual(expect.stringMatching(/^(Service|LiveKit|Agent)(Container)?Service/));
  },
);

test('metrics of the service are those that it writes: same names, same dimensions, same namespace', () => {
  const [task] = resourcesOf(prod, 'AWS::ECS::TaskDefinition');
  const variable = (name: string) =>
    task.ContainerDefinitions[0].Environment.find(({ Name }: Json) => Name === name).Value;
  const line = emittedMetrics(variable('EMF_NAMESPACE'), variable('DEPLOYMENT'));
  const [{ Namespace, Dimensions, Metrics }] = line._aws.CloudWatchMetrics as Json;
  const written = Metrics.map(({ Name }: Json) => ({
    Namespace,
    MetricName: Name,
    Dimensions: Dimensions[0].map((dimension: string) => ({ Name: dimension, Value: line[dimension] })),
  }));
  const watched = alarmsIn('prod')
    .flatMap(metricsOf)
    .filter((metric) => metric.Namespace === Namespace);
  expect(watched.length).toBeGreaterThan(0);
  for (const metric of watched) expect(written).toContainEqual(metric);
});

test('a demoted primary is recognized by the line that the service writes about it', () => {
  const [filter] = resourcesOf(prod, 'AWS::Logs::MetricFilter');
  expect(filter.FilterPattern).toBe(`{ $.reason = "${demotedReason}" }`);
  const [{ MetricNamespace, MetricName }] = filter.MetricTransformations;
  expect(named('The primary was demoted')).toMatchObject({ Namespace: MetricNamespace, MetricName });
  expect(filter.LogGroupName).toEqual({ Ref: expect.stringMatching(/^ServiceContainerLogs/) });
});

test('the memory of each node is watched, by ElastiCache’s dimension', () => {
  const [{ NumCacheClusters }] = resourcesOf(prod, 'AWS::ElastiCache::ReplicationGroup');
  const watched = metricsOf(named('The cache fills up'));
  expect(watched.map(({ Namespace, MetricName }) => `${Namespace}/${MetricName}`)).toEqual(
    Array(NumCacheClusters).fill('AWS/ElastiCache/DatabaseMemoryUsagePercentage'),
  );
  for (const metric of watched) expect(dimensionsOf(metric)).toEqual(['CacheClusterId']);
  expect(named('The cache fills up')).toMatchObject({ Threshold: 70 });
});

test.each([
  ['Instances are not ready', 'UnHealthyHostCount'],
  ['Fewer tasks than asked for', 'HealthyHostCount'],
])('%s: %s by target group and load balancer, which both report', (article, metric) => {
  const [watched] = metricsOf(named(article));
  expect(watched).toMatchObject({ Namespace: 'AWS/ApplicationELB', MetricName: metric });
  expect(dimensionsOf(watched)).toEqual(['LoadBalancer', 'TargetGroup']);
});

test('a shortage is fewer tasks than the minimum', () => {
  expect(named('Fewer tasks than asked for')).toMatchObject({
    Threshold: 3,
    ComparisonOperator: 'LessThanThreshold',
    TreatMissingData: 'breaching',
  });
});

test('without a backplane, no alarm watches one', () => {
  const aboutRedis = ['Service degraded', 'The primary was demoted', 'The cache fills up'];
  expect(alarmsIn('dev').map(articleOf)).toEqual(expect.arrayContaining(aboutRedis));
  expect(alarmsIn('no backplane').map(articleOf)).toEqual(
    alarmsIn('dev')
      .map(articleOf)
      .filter((article) => !aboutRedis.includes(article)),
  );
});

test('alarms may publish to the topic, and nobody without TLS', () => {
  const [policy] = resourcesOf(prod, 'AWS::SNS::TopicPolicy');
  expect(policy.PolicyDocument.Statement).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        Effect: 'Allow',
        Action: 'sns:Publish',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
      }),
      expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
    ]),
  );
});

test('the e-mail address is subscribed', () => {
  templateOf(variants['own domain']).hasResourceProperties('AWS::SNS::Subscription', {
    Protocol: 'email',
    Endpoint: 'ops@example.com',
  });
});
