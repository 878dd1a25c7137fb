import { readFileSync } from 'node:fs';
import { demotedReason } from '../../../../app/metric-names.ts';
import { templateOf } from '../stack-templates.ts';
import { type Json, resourcesOf } from '../synthesis.ts';
import { emittedMetrics } from './emitted-metrics.ts';

describe('alarms', () => {
  const template = templateOf({ environment: 'prod' });
  const alarms: Json[] = resourcesOf(template, 'AWS::CloudWatch::Alarm').filter(
    // Scaling makes and removes alarms of its own.
    ({ AlarmDescription }) => AlarmDescription,
  );
  const named = (word: string): Json =>
    alarms.find(({ AlarmDescription }) => AlarmDescription.includes(word));

  /** What an alarm looks at, by name of the metric, whether alone or in an expression. */
  function metricsOf({ MetricName, Namespace, Dimensions, Metrics = [] }: Json): Json[] {
    const alone = MetricName ? [{ MetricName, Namespace, Dimensions }] : [];
    return [...alone, ...Metrics.flatMap(({ MetricStat }: Json) => (MetricStat ? [MetricStat.Metric] : []))];
  }

  const dimensionsOf = ({ Dimensions }: Json): string[] =>
    Dimensions?.map(({ Name }: Json) => Name).sort() ?? [];

  test('each names an article of the RUNBOOK that is there', () => {
    const headings = readFileSync('RUNBOOK.md', 'utf8').match(/^#+ .+$/gm) ?? [];
    const articles = alarms.map(({ AlarmDescription }) => /RUNBOOK\.md: "(.+?)"/.exec(AlarmDescription)?.[1]);
    expect(articles.sort()).toEqual([
      'Clients reconnect again and again',
      'Fewer tasks than asked for',
      'Instances are not ready',
      'Service degraded',
      'The cache fills up',
      'The primary was demoted',
    ]);
    for (const article of articles) expect(headings).toContain(`## ${article}`);
  });

  test('each says what no data means, and why, and tells the topic', () => {
    for (const { AlarmDescription, TreatMissingData, AlarmActions, OKActions } of alarms) {
      expect(AlarmDescription).toMatch(/No data: (fine|alarm|unknown), .{20,}\.$/);
      expect(['notBreaching', 'breaching', 'missing']).toContain(TreatMissingData);
      expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(/^AlarmsTopic/) }]);
      expect(OKActions).toEqual(AlarmActions);
    }
  });

  test('metrics of the service are those that it writes: same names, same dimensions, same namespace', () => {
    const [task] = resourcesOf(template, 'AWS::ECS::TaskDefinition');
    const variable = (name: string) =>
      task.ContainerDefinitions[0].Environment.find(({ Name }: Json) => Name === name).Value;
    const line = emittedMetrics(variable('EMF_NAMESPACE'), variable('DEPLOYMENT'));
    const [{ Namespace, Dimensions, Metrics }] = line._aws.CloudWatchMetrics as Json;
    const written = Metrics.map(({ Name }: Json) => ({
      Namespace,
      MetricName: Name,
      Dimensions: Dimensions[0].map((dimension: string) => ({ Name: dimension, Value: line[dimension] })),
    }));
    const watched = alarms.flatMap(metricsOf).filter((metric) => metric.Namespace === 'RealtimeStack');
    expect(watched.map(({ MetricName }) => MetricName).sort()).toEqual([
      'Connections',
      'Connects',
      'Degraded',
    ]);
    for (const metric of watched) expect(written).toContainEqual(metric);
  });

  test('a demoted primary is found by the line that the service writes of it', () => {
    const [filter] = resourcesOf(template, 'AWS::Logs::MetricFilter');
    expect(filter.FilterPattern).toBe(`{ $.reason = "${demotedReason}" }`);
    expect(readFileSync('app/server/redis/heartbeat.ts', 'utf8')).toContain('demotedReason');
    expect(readFileSync('app/server/redis/link.ts', 'utf8')).toMatch(/reason: reason\.message/);
    const [{ MetricNamespace, MetricName }] = filter.MetricTransformations;
    expect(named('The primary was demoted')).toMatchObject({ Namespace: MetricNamespace, MetricName });
    expect(filter.LogGroupName).toEqual({ Ref: expect.stringMatching(/^AppRealtimeLogs/) });
  });

  test('the memory of each node is watched, by the dimension that ElastiCache has', () => {
    const watched = metricsOf(named('The cache fills up'));
    expect(watched.map(({ Namespace, MetricName }) => `${Namespace}/${MetricName}`)).toEqual(
      Array(2).fill('AWS/ElastiCache/DatabaseMemoryUsagePercentage'),
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

  test('a shortage is fewer tasks than the least', () => {
    expect(named('Fewer tasks')).toMatchObject({
      Threshold: 3,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    });
  });

  test('without a backplane nothing waits for one', () => {
    const { length } = resourcesOf(templateOf({ backplane: 'none' }), 'AWS::CloudWatch::Alarm');
    expect(length).toBe(3);
  });

  test('alarms may publish, nobody without TLS', () => {
    const [policy] = resourcesOf(template, 'AWS::SNS::TopicPolicy');
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

  test('an address is subscribed', () => {
    templateOf({ alarmEmail: 'ops@example.com' }).hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@example.com',
    });
  });
});
