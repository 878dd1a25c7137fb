import { type Json, resourcesOf, withoutHash } from '../aws/synthesis.ts';
import { templateOf, variants } from './templates.ts';

/** Every action whose resource may contain `*`, and why it can't name less. */
const wildcards: Record<string, string> = {
  'ecr:GetAuthorizationToken': 'the token is the account’s: the action knows no resources',
  'ecs:DescribeTasks': 'ids of tasks exist only at run time; the cluster is named',
  'ecs:UpdateTaskProtection': 'the same',
  'ecs:DescribeServices': 'the service is created after its role; the cluster is named',
};

/** Actions that the knob `ecsExec` and the agent of EC2 hosts need. They know no resources. */
const agents =
  /^(ssmmessages:|ecs:(DiscoverPollEndpoint|Poll|StartTelemetrySession|Submit\*|RegisterContainerInstance|DeregisterContainerInstance)$|ecr:|logs:(CreateLogStream|PutLogEvents|DescribeLogGroups)$)/;

/** The managed policy of the CDK's function that empties buckets when a stack is deleted. */
const emptiesBuckets = 'service-role/AWSLambdaBasicExecutionRole';

/** Addresses of the stack's own VPC. */
const vpcRange = '10.0.0.0/16';

const listOf = (value: Json): Json[] => (Array.isArray(value) ? value : [value]);
const containsWildcard = (resource: Json) => JSON.stringify(resource).includes('*');

/** The logical id of a security group without its hash, or the id of a group that exists already. */
const groupName = (id: Json): string => (typeof id === 'string' ? id : withoutHash(id['Fn::GetAtt'][0]));

describe.each(Object.entries(variants))('%s', (_, knobs: Record<string, unknown>) => {
  const template = templateOf(knobs);
  const hasLiveKit = 'liveKitNodes' in knobs;
  const hasHosts = hasLiveKit && knobs.environment === 'prod';
  const hasTurn = hasLiveKit && ('hostedZoneId' in knobs || 'turnDomainName' in knobs);
  const hasDomain = 'domainName' in knobs && !('cloudFront' in knobs);
  const agentsMay = (action: string) => (hasHosts || 'ecsExec' in knobs) && agents.test(action);

  const statements: Json[] = ['AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy', 'AWS::IAM::Role']
    .flatMap((type) => resourcesOf(template, type))
    .flatMap(({ PolicyDocument, Policies = [] }) => [
      PolicyDocument,
      ...Policies.map((policy: Json) => policy.PolicyDocument),
    ])
    .filter((document) => document !== undefined)
    .flatMap(({ Statement }) => Statement)
    .filter(({ Effect }) => Effect === 'Allow');

  test('no statement names every resource without a reason', () => {
    expect(statements.length).toBeGreaterThanOrEqual(4);
    const broad = statements
      .filter(({ Resource }) => listOf(Resource).some(containsWildcard))
      .flatMap(({ Action }) => listOf(Action));
    expect(broad.filter((action) => !(action in wildcards) && !agentsMay(action))).toEqual([]);
  });

  test('whoever may read a secret of others may decrypt it, through Secrets Manager only', () => {
    const { secretsKmsKeyArn } = knobs;
    const policies = resourcesOf(template, 'AWS::IAM::Policy').map(
      ({ PolicyDocument }) => PolicyDocument.Statement as Json[],
    );
    // The stack's own secrets are references; one that exists already is named.
    const reads = ({ Action, Resource }: Json) =>
      listOf(Action).includes('secretsmanager:GetSecretValue') &&
      listOf(Resource).some((resource) => typeof resource === 'string');
    const decrypts = ({ Action, Resource, Condition }: Json) =>
      Action === 'kms:Decrypt' &&
      Resource === secretsKmsKeyArn &&
      JSON.stringify(Condition).includes('secretsmanager.us-east-1.');
    for (const statements of policies)
      expect(statements.some(decrypts)).toBe(secretsKmsKeyArn !== undefined && statements.some(reads));
  });

  test('no statement allows a family of actions', () => {
    const families = statements
      .flatMap(({ Action, NotAction }) => [...listOf(Action), ...(NotAction ? ['NotAction'] : [])])
      .filter((action) => /\*|NotAction/.test(action));
    expect(families.filter((action) => !(action === 'ecs:Submit*' && agentsMay(action)))).toEqual([]);
  });

  test('no role has a managed policy', () => {
    const managed = resourcesOf(template, 'AWS::IAM::Role').flatMap(
      ({ ManagedPolicyArns = [] }) => ManagedPolicyArns,
    );
    expect(managed.filter((arn) => !JSON.stringify(arn).includes(emptiesBuckets))).toEqual([]);
  });

  test('the world reaches the edge and LiveKit’s media; everything else admits a security group', () => {
    const inline = resourcesOf(template, 'AWS::EC2::SecurityGroup').flatMap(
      ({ SecurityGroupIngress = [] }) => SecurityGroupIngress,
    );
    const single = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress');
    const open = [...inline, ...single]
      .filter(({ CidrIp, CidrIpv6 }) => (CidrIp && CidrIp !== vpcRange) || CidrIpv6)
      .map(({ IpProtocol, FromPort, ToPort }) => `${IpProtocol} ${FromPort}-${ToPort}`);
    const edge = hasDomain ? ['tcp 80-80', 'tcp 443-443'] : [];
    const media = hasLiveKit ? ['udp 7882-7897', 'tcp 7881-7881'] : [];
    const turn = hasTurn ? ['udp 3478-3478', 'tcp 443-443'] : [];
    expect(open.sort()).toEqual([...edge, ...media, ...turn].sort());
    const within = [...inline, ...single].filter(({ CidrIp }) => CidrIp === vpcRange);
    expect(within.map(({ FromPort, ToPort }) => [FromPort, ToPort])).toEqual(
      'privateLink' in knobs ? [[443, 443]] : [],
    );
    const lists = [...inline, ...single].filter(({ SourcePrefixListId }) => SourcePrefixListId);
    expect(lists.map(({ FromPort }) => FromPort)).toEqual(hasDomain ? [] : [80]);
  });

  test('between groups there are the paths that the code needs, and no others', () => {
    const between = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress')
      .filter(({ SourceSecurityGroupId }) => SourceSecurityGroupId)
      .map(({ SourceSecurityGroupId, FromPort, ToPort, GroupId }) => [
        groupName(SourceSecurityGroupId),
        FromPort,
        ToPort,
        groupName(GroupId),
      ]);
    const balancer = `EdgeBalancer${hasDomain ? 'Public' : 'Private'}LoadBalancerSecurityGroup`;
    const internal = hasDomain ? 'EdgeInternalPrivateLoadBalancerSecurityGroup' : balancer;
    const service = 'ServiceContainerSecurityGroup';
    const nodes = hasHosts ? 'LiveKitHostsSecurityGroup' : 'LiveKitFargateSecurityGroup';
    const cache = 'redisSecurityGroupId' in knobs ? 'sg-0123abcd' : 'RedisSecurityGroup';
    const redis = 'cacheShards' in knobs ? 'RedisShardsOf2SecurityGroup' : cache;
    const paths = [
      [balancer, 3000, 3000, service],
      // The service asks LiveKit's API, nodes report to the service, and agents register, without leaving the VPC.
      ...(hasLiveKit
        ? [
            [service, 80, 80, internal],
            [nodes, 80, 80, internal],
            ['AgentSecurityGroup', 80, 80, internal],
            ...(hasDomain
              ? [
                  [internal, 3000, 3000, service],
                  [internal, 7880, 7880, nodes],
                ]
              : []),
          ]
        : []),
      ...(knobs.backplane === 'none'
        ? []
        : [
            [service, 6379, 6379, redis],
            [service, 3100, 3100, service],
          ]),
      ...(hasLiveKit
        ? [
            [balancer, 7880, 7880, nodes],
            [nodes, 6379, 6379, cache],
          ]
        : []),
      ...(hasTurn ? [['TurnSecurityGroup', 5349, 5349, nodes]] : []),
    ];
    expect(between.sort()).toEqual(paths.sort());
  });

  test('tasks reach only AWS over HTTPS and Redis, and the agent LiveKit’s media besides', () => {
    const open = resourcesOf(template, 'AWS::EC2::SecurityGroup')
      .filter(({ GroupDescription }) => !GroupDescription.startsWith('LiveKit'))
      .flatMap(({ SecurityGroupEgress = [] }) => SecurityGroupEgress)
      .filter(({ CidrIp }) => CidrIp !== '255.255.255.255/32');
    expect(open.every(({ CidrIp }) => CidrIp === '0.0.0.0/0')).toBe(true);
    const https = 'tcp 443-443';
    expect(
      open.map(({ IpProtocol, FromPort, ToPort }) => `${IpProtocol} ${FromPort}-${ToPort}`).sort(),
    ).toEqual(hasLiveKit ? [https, https, 'tcp 7881-7881', 'udp 7882-7897'].sort() : [https]);
    const between = resourcesOf(template, 'AWS::EC2::SecurityGroupEgress');
    expect(between.every(({ DestinationSecurityGroupId }) => DestinationSecurityGroupId)).toBe(true);
  });

  test('no container variable looks like a secret', () => {
    const variables: Json[] = resourcesOf(template, 'AWS::ECS::TaskDefinition')
      .flatMap(({ ContainerDefinitions }) => ContainerDefinitions)
      .flatMap(({ Environment = [] }) => Environment);
    expect(variables.length).toBeGreaterThan(0);
    // Names that secrets have.
    const secretName = /pass|secret(?!_id$)|token|credential|private|(^|_)key/i;
    // A password in a URL or a connection string, or anything long and random.
    const secretValue = /:\/\/[^/\s]*@|password=|^[A-Za-z0-9+/=_-]{32,}$/i;
    const suspects = variables.filter(
      ({ Name, Value }) => secretName.test(Name) || (typeof Value === 'string' && secretValue.test(Value)),
    );
    expect(suspects).toEqual([]);
  });

  test('the template contains no secret', () => {
    for (const { SecretString } of resourcesOf(template, 'AWS::SecretsManager::Secret'))
      expect(SecretString).toBeUndefined();
    for (const { Value } of resourcesOf(template, 'AWS::SSM::Parameter')) {
      expect(JSON.stringify(Value)).not.toMatch(/resolve:|@/);
      // SSM refuses an empty value, and no validator notices.
      expect(Value).not.toBe('');
    }
  });
});
