import { readFileSync } from 'node:fs';
import { demotedReason } from '../../../app/metric-names.ts';
import { type Json, resourcesOf, withoutHash } from '../aws/synthesis.ts';
import { alarmCases } from './alarm-cases.ts';
import { stateOf } from './alarm-state.ts';
import { emittedMetrics } from './emitted-metrics.ts';
import { resourcesById, templateOf, type VariantName, variants } from './templates.ts';

const prod = templateOf(variants.prod);

/** Scaling policies create and delete alarms of their own, without a description. */
const alarmsIn = (variant: VariantName): Json[] =>
  resourcesOf(templateOf(variants[variant]), 'AWS::CloudWatch::Alarm').filter(
    ({ AlarmDescription }) => AlarmDescription,
  );
const all = (Object.keys(variants) as VariantName[]).flatMap(alarmsIn);
const named = (article: string): Json =>
  alarmsIn('prod').find(({ AlarmDescription }) => AlarmDescription.includes(`"${article}"`));
const articleIn = (text: string) => /RUNBOOK\.md: "(.+?)"/.exec(text)?.[1] ?? '';
const articleOf = ({ AlarmDescription }: Json) => articleIn(AlarmDescription);

/** Alarms by their construct. */
const alarmsById = (variant: VariantName): Map<string, Json> =>
  new Map(
    Object.entries(resourcesById(variants[variant]))
      .filter(([, { Type, Properties }]) => Type === 'AWS::CloudWatch::Alarm' && Properties.AlarmDescription)
      .map(([id, { Properties }]) => [withoutHash(id).replace(/^Observability/, ''), Properties]),
  );

/** What EventBridge sends to the topic, of each variant. */
const eventTexts = (variant: VariantName): string[] =>
  resourcesOf(templateOf(variants[variant]), 'AWS::Events::Rule').map(({ Targets: [{ InputTransformer }] }) =>
    JSON.parse(InputTransformer.InputTemplate),
  );

/** Logical ids of the alarms by which the service is rolled back. */
const rollbackAlarmsOf = (variant: VariantName): string[] =>
  resourcesOf(templateOf(variants[variant]), 'AWS::ECS::Service').flatMap(
    ({ DeploymentConfiguration }) =>
      DeploymentConfiguration.Alarms?.AlarmNames.map(({ Ref }: Json) => Ref) ?? [],
  );

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
    const events = (Object.keys(variants) as VariantName[]).flatMap(eventTexts).map(articleIn);
    expect([...articles.keys()].sort()).toEqual([...new Set([...all.map(articleOf), ...events])].sort());
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
  '%s: each is created after the service that it watches, or before it to roll it back',
  (variant) => {
    const rollsBack = rollbackAlarmsOf(variant);
    const alarms = Object.entries(templateOf(variants[variant]).findResources('AWS::CloudWatch::Alarm'));
    const own = alarms.filter(([, { Properties }]: Json) => Properties.AlarmDescription) as [string, Json][];
    for (const [alarm, { DependsOn = [] }] of own) {
      const services = DependsOn.filter((id: string) =>
        /^(Service|LiveKit|Agent)(Container)?Service/.test(id),
      );
      expect([alarm, services.length > 0]).toEqual([alarm, !rollsBack.includes(alarm)]);
    }
  },
);

describe.each(Object.keys(variants) as VariantName[])('%s: a deployment that fails', (variant) => {
  const resources = resourcesById(variants[variant]);
  const services = Object.entries(resources).filter(([, { Type }]) => Type === 'AWS::ECS::Service');

  test('is rolled back by alarms that exist before the service, and that no missing data sets off', () => {
    const [, service] = services.find(([id]) => id.startsWith('ServiceContainer')) as [string, Json];
    const { Alarms, DeploymentCircuitBreaker } = service.Properties.DeploymentConfiguration;
    expect(DeploymentCircuitBreaker).toEqual({ Enable: true, Rollback: true });
    expect(Alarms).toMatchObject({ Enable: true, Rollback: true });
    const hasRedis = variant !== 'no backplane';
    const expected = ['ServerErrors', 'Gaps', 'LossesReported', ...(hasRedis ? ['ServiceDegraded'] : [])];
    const ids = rollbackAlarmsOf(variant);
    expect(ids.map((id) => withoutHash(id).replace(/^Observability/, '')).sort()).toEqual(expected.sort());
    // A cycle would be an error of the synthesis: a name that is a reference makes the service wait for the alarm.
    for (const id of ids) expect(resources[id].Properties.TreatMissingData).toBe('notBreaching');
  });

  test('is reported to the topic, of each service and of no other one', () => {
    const [rule, ...others] = resourcesOf(templateOf(variants[variant]), 'AWS::Events::Rule');
    expect(others).toEqual([]);
    expect(rule.EventPattern).toMatchObject({
      source: ['aws.ecs'],
      'detail-type': ['ECS Deployment State Change'],
      detail: { eventName: ['SERVICE_DEPLOYMENT_FAILED'] },
    });
    expect(rule.EventPattern.resources.map(({ Ref }: Json) => Ref).sort()).toEqual(
      services.map(([id]) => id).sort(),
    );
    const [target] = rule.Targets;
    expect(target.Arn).toEqual({ Ref: expect.stringMatching(/^AlarmsTopic/) });
    expect(target.RoleArn['Fn::GetAtt'][0]).toMatch(/^ObservabilityFailedDeploymentsPublisher/);
    expect(target.InputTransformer.InputPathsMap).toEqual({
      'detail-reason': '$.detail.reason',
      'resources-0-': '$.resources[0]',
    });
  });
});

describe('seen firing, on recorded metrics', () => {
  const variantOf = (id: string): VariantName => alarmCases[id]?.variant ?? 'prod';

  test('there is recorded data of every alarm of any variant, and of no other', () => {
    const ids = (Object.keys(variants) as VariantName[]).flatMap((variant) => [
      ...alarmsById(variant).keys(),
    ]);
    expect(Object.keys(alarmCases).sort()).toEqual([...new Set(ids)].sort());
  });

  describe.each(Object.entries(alarmCases))('%s', (id, { fires, staysQuiet, withoutData }) => {
    const alarm = () => alarmsById(variantOf(id)).get(id) as Json;

    test.each(Object.entries(fires))('fires: %s', (_, recorded) => {
      expect(stateOf(alarm(), recorded)).toBe('ALARM');
    });

    test.each(Object.entries(staysQuiet))('stays quiet: %s', (_, recorded) => {
      expect(stateOf(alarm(), recorded)).toBe('OK');
    });

    test('without any data', () => expect(stateOf(alarm(), {})).toBe(withoutData));
  });
});

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

test('a service that was stopped on purpose has no tasks, and lacks none', () => {
  const [service] = resourcesOf(templateOf({ minTasks: 0 }), 'AWS::ECS::Service');
  expect(service.DesiredCount).toBe(0);
  const texts = resourcesOf(templateOf({ minTasks: 0 }), 'AWS::CloudWatch::Alarm').map(articleOf);
  expect(texts).not.toContain('Fewer tasks than asked for');
});

test('without a backplane, no alarm watches one', () => {
  const aboutRedis = [
    'Service degraded',
    'The primary was demoted',
    'The cache fills up',
    'The cache is busy',
    'The cache has too many connections',
    "The cache's network is throttled",
    'Logins to the cache fail',
  ];
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

test('ElastiCache reports its events to the topic, unless that is encrypted', () => {
  const cacheOf = (knobs: Json) => resourcesOf(templateOf(knobs), 'AWS::ElastiCache::ReplicationGroup')[0];
  const admitted = (knobs: Json) =>
    resourcesOf(templateOf(knobs), 'AWS::SNS::TopicPolicy')
      .flatMap(({ PolicyDocument }) => PolicyDocument.Statement)
      .filter(({ Effect, Principal }: Json) => Effect === 'Allow' && Principal.AWS === '*');
  expect(cacheOf(variants.prod).NotificationTopicArn).toEqual({ Ref: expect.stringMatching(/^AlarmsTopic/) });
  // Nobody but ElastiCache publishes as the owner of the topic.
  expect(admitted(variants.prod)).toEqual([
    expect.objectContaining({
      Action: 'sns:Publish',
      Condition: { StringEquals: { 'aws:SourceOwner': { Ref: 'AWS::AccountId' } } },
    }),
  ]);
  const encrypted = { ...variants.prod, kmsKeyArn: 'arn:aws:kms:us-east-1:123456789012:key/0123' };
  expect(cacheOf(encrypted)).not.toHaveProperty('NotificationTopicArn');
  expect(admitted(encrypted)).toEqual([]);
  expect(admitted(variants['no backplane'])).toEqual([]);
});

test('EventBridge may write to a topic that is encrypted', () => {
  const kmsKeyArn = 'arn:aws:kms:us-east-1:123456789012:key/0123';
  const policy = Object.entries(resourcesById({ ...variants.prod, kmsKeyArn })).find(([id]) =>
    id.startsWith('ObservabilityFailedDeploymentsPublisherDefaultPolicy'),
  )?.[1];
  expect(policy.Properties.PolicyDocument.Statement).toContainEqual({
    Effect: 'Allow',
    Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
    Resource: kmsKeyArn,
  });
});

test('the e-mail address is subscribed', () => {
  templateOf(variants['own domain']).hasResourceProperties('AWS::SNS::Subscription', {
    Protocol: 'email',
    Endpoint: 'ops@example.com',
  });
});
