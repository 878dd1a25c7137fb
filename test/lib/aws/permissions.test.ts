import { type Json, resourcesOf, templateOf } from './synthesis.ts';

const template = templateOf();

/** Every `*` that a statement may name as its resource, and why it cannot name less. */
const wildcards: Record<string, string> = {
  'ecr:GetAuthorizationToken': 'the token is the account’s: the action knows no resources',
};

const listOf = (value: Json): Json[] => (Array.isArray(value) ? value : [value]);

const statements: Json[] = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy', 'AWS::IAM::Role']
  .flatMap((type) => resourcesOf(template, type))
  .flatMap(({ PolicyDocument, Policies = [] }) => [
    PolicyDocument,
    ...Policies.map((policy: Json) => policy.PolicyDocument),
  ])
  .filter((document) => document !== undefined)
  .flatMap(({ Statement }) => Statement);

const mentionsWildcard = (resource: Json) => JSON.stringify(resource).includes('*');

test('there are statements to look at', () => {
  expect(statements.length).toBeGreaterThanOrEqual(5);
});

test('no statement names every resource without a reason', () => {
  const broad = statements
    .filter(({ Effect, Resource }) => Effect === 'Allow' && listOf(Resource).some(mentionsWildcard))
    .flatMap(({ Action }) => listOf(Action));
  expect(broad.filter((action) => !(action in wildcards))).toEqual([]);
});

test('no statement allows a family of actions', () => {
  expect(
    statements
      .filter(({ Effect }) => Effect === 'Allow')
      .flatMap(({ Action, NotAction }) => [...listOf(Action), ...(NotAction ? ['NotAction'] : [])])
      .filter((action) => /\*|NotAction/.test(action)),
  ).toEqual([]);
});

test('no role brings a managed policy', () => {
  expect(
    resourcesOf(template, 'AWS::IAM::Role').flatMap(({ ManagedPolicyArns = [] }) => ManagedPolicyArns),
  ).toEqual([]);
});

test('the world reaches the load balancer on port 80, and what a rule admits is a group of this stack', () => {
  const inline = resourcesOf(template, 'AWS::EC2::SecurityGroup').flatMap(
    ({ SecurityGroupIngress = [] }) => SecurityGroupIngress,
  );
  expect(inline).toEqual([expect.objectContaining({ CidrIp: '0.0.0.0/0', FromPort: 80, ToPort: 80 })]);
  const between = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress').map((rule) => [
    rule.SourceSecurityGroupId?.['Fn::GetAtt'][0].replace(/[0-9A-F]{8}$/, ''),
    rule.FromPort,
    rule.ToPort,
    rule.GroupId['Fn::GetAtt'][0].replace(/[0-9A-F]{8}$/, ''),
  ]);
  expect(between.sort()).toEqual([
    ['AppSecurityGroup', 6379, 6379, 'BackplaneSecurityGroup'],
    ['EdgePublicLoadBalancerSecurityGroup', 3000, 3000, 'AppSecurityGroup'],
  ]);
});

test('what goes out goes to a group of this stack, or to AWS over HTTPS', () => {
  const nowhere = '255.255.255.255/32';
  const inline = resourcesOf(template, 'AWS::EC2::SecurityGroup')
    .flatMap(({ SecurityGroupEgress = [] }) => SecurityGroupEgress)
    .filter(({ CidrIp }) => CidrIp !== nowhere);
  expect(inline).toEqual([expect.objectContaining({ CidrIp: '0.0.0.0/0', FromPort: 443, ToPort: 443 })]);
  const between = resourcesOf(template, 'AWS::EC2::SecurityGroupEgress');
  expect(between.map(({ FromPort }) => FromPort).sort()).toEqual([3000, 6379]);
  expect(between.every(({ DestinationSecurityGroupId }) => DestinationSecurityGroupId)).toBe(true);
});

test('no container variable looks like a secret', () => {
  const variables: Json[] = resourcesOf(template, 'AWS::ECS::TaskDefinition')
    .flatMap(({ ContainerDefinitions }) => ContainerDefinitions)
    .flatMap(({ Environment = [] }) => Environment);
  expect(variables.length).toBeGreaterThan(0);
  const secretName = /pass|secret|token|credential|private|(^|_)key/i;
  // A password in a URL or a connection string, or anything long and random.
  const secretValue = /:\/\/[^/\s]*@|password=|[A-Za-z0-9+/=_-]{32,}/i;
  const suspects = variables.filter(
    ({ Name, Value }) => secretName.test(Name) || (typeof Value === 'string' && secretValue.test(Value)),
  );
  expect(suspects).toEqual([]);
});
