import { readFileSync } from 'node:fs';
import type { App } from 'aws-cdk-lib';
import { type Json, resourcesOf } from '../aws/synthesis.ts';
import { resourcesById, synthesize, templateOf, variants } from './templates.ts';

const given = variants['CloudFront with an own domain'];
const everything = { ...variants['everything on'], permissionsBoundary: 'developers-boundary' };

test.each([
  ['with LiveKit on hosts', given],
  ['with every part', everything],
])('the permissions boundary bounds every role, %s', (_, knobs) => {
  const roles = resourcesOf(templateOf(knobs), 'AWS::IAM::Role');
  expect(roles.length).toBeGreaterThan(5);
  for (const { PermissionsBoundary } of roles)
    expect(JSON.stringify(PermissionsBoundary)).toContain(':policy/developers-boundary');
});

test('a boundary may be an ARN, and without one no role has any', () => {
  const arn = 'arn:aws:iam::123456789012:policy/team/boundary';
  const boundariesOf = (knobs: Json) =>
    resourcesOf(templateOf(knobs), 'AWS::IAM::Role').map(({ PermissionsBoundary }) => PermissionsBoundary);
  expect(new Set(boundariesOf({ permissionsBoundary: arn }))).toEqual(new Set([arn]));
  expect(new Set(boundariesOf({}))).toEqual(new Set([undefined]));
});

test('the tags are on every resource that has the stack’s own, hosts that start later too, and not on CloudFront’s origin', () => {
  const withTags = Object.entries(resourcesById(given)).filter(([, { Properties = {} }]) =>
    JSON.stringify(Properties).includes('realtime-stack:deployment'),
  );
  expect(withTags.length).toBeGreaterThan(40);
  for (const [id, { Properties }] of withTags) {
    const text = JSON.stringify(Properties);
    expect([id, /"?cost-center"?/.test(text), text.includes('R and D')]).toEqual([id, true, true]);
  }
  const [group] = resourcesOf(templateOf(given), 'AWS::AutoScaling::AutoScalingGroup');
  expect(group.Tags).toContainEqual({ Key: 'Owner', Value: 'realtime', PropagateAtLaunch: true });
  const [origin] = resourcesOf(templateOf(given), 'AWS::CloudFront::VpcOrigin');
  expect(origin).not.toHaveProperty('Tags');
});

test('CloudFormation adds no tags by itself, which would reach CloudFront’s origin', () => {
  const { stack } = synthesize(given);
  const artifact = (stack.node.root as App).synth().getStackArtifact(stack.artifactId);
  expect(artifact.tags).toEqual({});
});

test('the bootstrap with the qualifier deploys the stack', () => {
  const artifactOf = (knobs: Json) => {
    const { stack } = synthesize(knobs);
    return (stack.node.root as App).synth().getStackArtifact(stack.artifactId);
  };
  const artifact = artifactOf(given);
  expect(artifact.bootstrapStackVersionSsmParameter).toBe('/cdk-bootstrap/realtime/version');
  expect(artifact.assumeRoleArn).toContain(':role/cdk-realtime-deploy-role-');
  expect(artifactOf({}).bootstrapStackVersionSsmParameter).toBe('/cdk-bootstrap/hnb659fds/version');
});

test('without a hosted zone, an output names where the domain’s record leads', () => {
  const { Outputs } = templateOf({
    domainName: 'realtime.example.com',
    certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/0123',
    cloudFront: true,
  }).toJSON();
  expect(Outputs.Url.Value).toBe('https://realtime.example.com');
  expect(JSON.stringify(Outputs.DistributionName.Value)).toContain('DomainName');
});

test('a name of one’s own changes CloudFront in place: its own name stays', () => {
  const { environment, liveKitNodes } = given;
  const before = resourcesById({ environment, liveKitNodes });
  const after = resourcesById({
    ...given,
    tags: {},
    permissionsBoundary: undefined,
    bootstrapQualifier: undefined,
  });
  const kinds = [
    'AWS::CloudFront::Distribution',
    'AWS::CloudFront::VpcOrigin',
    'AWS::ElasticLoadBalancingV2::LoadBalancer',
  ];
  const idsOf = (resources: Record<string, Json>) =>
    Object.entries(resources).flatMap(([id, { Type }]) =>
      kinds.includes(Type) && !id.startsWith('Turn') ? [id] : [],
    );
  expect(idsOf(after)).toEqual(idsOf(before));
});

test('a domain that moves from a load balancer to CloudFront keeps its record, which changes in place', () => {
  const recordOf = (knobs: Json) =>
    Object.entries(resourcesById(knobs)).find(
      ([, { Type, Properties }]) =>
        Type === 'AWS::Route53::RecordSet' && Properties.Name === 'realtime.example.com.',
    )?.[0];
  expect(recordOf(given)).toBe(recordOf(variants['own domain']));
});

test('the role that verifies in a pipeline reads the two secrets of clients and no other, and the Redis setting', () => {
  const { Statement } = JSON.parse(readFileSync('.github/iam/verify.policy.json', 'utf8'));
  const resourcesFor = (wanted: string): string[] =>
    Statement.filter(({ Action }: Json) => [Action].flat().includes(wanted)).flatMap(
      ({ Resource }: Json) => Resource,
    );
  // CloudFormation names a secret after its logical id.
  const patterns = resourcesFor('secretsmanager:GetSecretValue').map((arn) =>
    arn.split(':').at(-1)?.replace('*', ''),
  );
  const secrets = Object.entries(resourcesById(variants['own domain']))
    .filter(([, { Type }]) => Type === 'AWS::SecretsManager::Secret')
    .map(([id]) => id);
  const readable = secrets.filter((id) => patterns.some((pattern) => pattern && id.startsWith(pattern)));
  const { Outputs } = templateOf(variants['own domain']).toJSON();
  expect(secrets.length).toBeGreaterThan(4);
  expect(readable.sort()).toEqual([Outputs.AuthSecretId.Value.Ref, Outputs.ServiceTokenId.Value.Ref].sort());

  const [parameter] = resourcesOf(templateOf(variants['own domain']), 'AWS::SSM::Parameter');
  const [setting = ''] = resourcesFor('ssm:GetParameter');
  const prefix = setting.replace(/^.*:parameter/, '').replace('STACK/*', 'realtime-prod/');
  expect(parameter.Name.startsWith(prefix)).toBe(true);
});
