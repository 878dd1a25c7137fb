import { setFlagsFromString } from 'node:v8';
import { CfnResource, Stack, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describeInFull } from '../../support/full-runs.ts';
import { type Json, newApp } from '../aws/synthesis.ts';
import { createStack, openFindings, reportsOf, synthesize, type VariantName, variants } from './templates.ts';

describe('cdk-nag', () => {
  const cloudFront = ['CFR1', 'CFR4'];
  const cheap = ['CFR2', ...cloudFront, 'ECS4'];
  const cache = ['AEC6'];

  /** Rules whose findings are acknowledged, in addition to those of every variant. */
  const acknowledged: Record<VariantName, readonly string[]> = {
    dev: [...cheap, ...cache, 'AEC4'],
    prod: [...cloudFront, ...cache],
    'own domain': [...cache, 'EC23'],
    'CloudFront with an own domain': ['CFR1', ...cache, 'EC23'],
    'own certificate': [...cache, 'AEC4', 'EC23', 'ECS4'],
    'existing VPC': [...cloudFront, ...cache],
    'several shards': [...cloudFront, ...cache, 'EC23'],
    'existing Redis': [...cheap, 'EC23'],
    'no backplane': cheap,
    'LiveKit on Fargate': [...cheap, ...cache, 'AEC4', 'EC23'],
    'images of a pipeline': [...cache, 'EC23'],
    'everything on': [...cloudFront, 'CFR2', ...cache, 'AEC4', 'EC23'],
  };
  const everywhere = ['ECS2', 'IAM5', 'S1', 'SMG4'];

  test.each(Object.entries(variants))(
    '%s: no finding is open, and every acknowledged finding has a reason',
    (name, knobs) => {
      const reports = reportsOf(synthesize(knobs).stack);
      expect(reports.map(({ pluginName }) => pluginName)).toContain('AwsSolutions');
      expect(openFindings(reports)).toEqual([]);
      const nag = reports
        .flatMap(({ suppressedViolations = [] }) => suppressedViolations as Json[])
        .filter(({ ruleName }) => ruleName.startsWith('AwsSolutions-'));
      const rules = nag.map(({ ruleName }) => ruleName.slice('AwsSolutions-'.length).replace(/\[.*/, ''));
      expect([...new Set(rules)].sort()).toEqual(
        [...acknowledged[name as VariantName], ...everywhere].sort(),
      );
      expect(nag.filter(({ reason }) => !(reason?.length > 20))).toEqual([]);
    },
  );

  test('a finding that nobody acknowledged ends the synthesis', () => {
    const app = newApp();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    new Bucket(new Stack(app, 'Stack'), 'Bucket');
    expect(() => app.synth()).toThrow('AwsSolutions-S1');
  });
});

// It takes seconds, so the variant with the most parts stands for all, and a misspelt property proves that it looks.
describeInFull('stack', 'the validator of the CDK', () => {
  test('the CDK’s validator finds a property that CloudFormation does not know, and nothing else', () => {
    // As in bin/cdk.ts.
    setFlagsFromString('--liftoff-only');
    delete process.env.CDK_VALIDATION;
    try {
      const stack = createStack(variants['own domain']);
      new CfnResource(stack, 'Misspelt', {
        type: 'AWS::ECS::Cluster',
        properties: { ClusterNam: 'misspelt' },
      });
      expect(() => Template.fromStack(stack)).toThrow('ClusterNam');
      expect(openFindings(reportsOf(stack)).map(({ ruleName }) => ruleName)).toEqual(['F3002']);
    } finally {
      process.env.CDK_VALIDATION = 'false';
    }
  });
});
