import { templateOf, variants } from './stack-templates.ts';
import { type Json, resourcesOf } from './synthesis.ts';

describe('permissions', () => {
  /** Every action that may name `*`, alone or in an ARN, as its resource, and why it cannot name less. */
  const wildcards: Record<string, string> = {
    'ecr:GetAuthorizationToken': 'the token is the account’s: the action knows no resources',
    'ecs:DescribeTasks': 'of tasks whose ids are known when they run; the cluster is named',
    'ecs:GetTaskProtection': 'as before',
    'ecs:UpdateTaskProtection': 'as before',
    'ecs:DescribeServices': 'its own service is made after its role; the cluster is named',
  };

  /** What the knob `ecsExec` and the agent of EC2 hosts need; no resources are known for them. */
  const agents =
    /^(ssmmessages:|ecs:(DiscoverPollEndpoint|Poll|StartTelemetrySession|Submit\*|RegisterContainerInstance|DeregisterContainerInstance)$|ecr:|logs:(CreateLogStream|PutLogEvents|DescribeLogGroups)$)/;

  /** Of the CDK's own: the function that empties a bucket when a stack that is to be tried goes. */
  const emptiesBuckets = 'service-role/AWSLambdaBasicExecutionRole';

  const listOf = (value: Json): Json[] => (Array.isArray(value) ? value : [value]);
  const mentionsWildcard = (resource: Json) => JSON.stringify(resource).includes('*');

  describe.each(Object.entries(variants))('%s', (name, knobs) => {
    const template = templateOf(knobs);
    const grown = name === 'everything on' || name === 'own domain';
    const turns = name === 'own domain';
    const nodes = name === 'own domain' ? 'LiveKitCapacitySecurityGroup' : 'LiveKitFargateSecurityGroup';

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
        .filter(({ Resource }) => listOf(Resource).some(mentionsWildcard))
        .flatMap(({ Action }) => listOf(Action));
      expect(broad.filter((action) => !(action in wildcards) && !(grown && agents.test(action)))).toEqual([]);
    });

    test('no statement allows a family of actions', () => {
      const families = statements
        .flatMap(({ Action, NotAction }) => [...listOf(Action), ...(NotAction ? ['NotAction'] : [])])
        .filter((action) => /\*|NotAction/.test(action));
      expect(families.filter((action) => !(grown && action === 'ecs:Submit*'))).toEqual([]);
    });

    test('no role brings a managed policy', () => {
      const managed = resourcesOf(template, 'AWS::IAM::Role').flatMap(
        ({ ManagedPolicyArns = [] }) => ManagedPolicyArns,
      );
      expect(managed.filter((arn) => !JSON.stringify(arn).includes(emptiesBuckets))).toEqual([]);
    });

    test('the world reaches the edge and LiveKit’s media; what else is admitted is a group', () => {
      const inline = resourcesOf(template, 'AWS::EC2::SecurityGroup').flatMap(
        ({ SecurityGroupIngress = [] }) => SecurityGroupIngress,
      );
      const single = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress');
      const open = [...inline, ...single]
        .filter(({ CidrIp, CidrIpv6 }) => CidrIp || CidrIpv6)
        .map(({ IpProtocol, FromPort, ToPort }) => `${IpProtocol} ${FromPort}-${ToPort}`);
      const edge = 'domainName' in knobs ? ['tcp 80-80', 'tcp 443-443'] : [];
      const media = 'liveKitNodes' in knobs ? ['udp 7882-7897', 'tcp 7881-7881'] : [];
      const turn = turns ? ['udp 3478-3478', 'tcp 443-443'] : [];
      expect(open.sort()).toEqual([...edge, ...media, ...turn].sort());
      const lists = [...inline, ...single].filter(({ SourcePrefixListId }) => SourcePrefixListId);
      expect(lists.map(({ FromPort }) => FromPort)).toEqual('domainName' in knobs ? [] : [80]);
    });

    test('between groups there are the load balancer’s way to tasks and the tasks’ way to Redis', () => {
      const between = resourcesOf(template, 'AWS::EC2::SecurityGroupIngress')
        .filter(({ SourceSecurityGroupId }) => SourceSecurityGroupId)
        .map(({ SourceSecurityGroupId, FromPort, ToPort, GroupId }) => [
          groupName(SourceSecurityGroupId),
          FromPort,
          ToPort,
          groupName(GroupId),
        ]);
      const kind = 'domainName' in knobs ? 'Public' : 'Private';
      const balancer = `EdgeBalancer${kind}LoadBalancerSecurityGroup`;
      const redis = 'redisSecurityGroupId' in knobs ? 'sg-0123abcd' : 'BackplaneSecurityGroup';
      expect(between.sort()).toEqual(
        [
          [balancer, 3000, 3000, 'AppRealtimeSecurityGroup'],
          ...('backplane' in knobs && knobs.backplane === 'none'
            ? []
            : [['AppRealtimeSecurityGroup', 6379, 6379, redis]]),
          ...('liveKitNodes' in knobs
            ? [
                [balancer, 7880, 7880, nodes],
                [nodes, 6379, 6379, redis],
              ]
            : []),
          ...(turns ? [['TurnSecurityGroup', 5349, 5349, nodes]] : []),
        ].sort(),
      );
    });

    test('tasks go out to AWS over HTTPS and to Redis alone, the agent’s to LiveKit’s media besides', () => {
      const open = resourcesOf(template, 'AWS::EC2::SecurityGroup')
        .filter(({ GroupDescription }) => !GroupDescription.startsWith('LiveKit'))
        .flatMap(({ SecurityGroupEgress = [] }) => SecurityGroupEgress)
        .filter(({ CidrIp }) => CidrIp !== '255.255.255.255/32');
      expect(open.every(({ CidrIp }) => CidrIp === '0.0.0.0/0')).toBe(true);
      const https = 'tcp 443-443';
      expect(
        open.map(({ IpProtocol, FromPort, ToPort }) => `${IpProtocol} ${FromPort}-${ToPort}`).sort(),
      ).toEqual('liveKitNodes' in knobs ? [https, https, 'tcp 7881-7881', 'udp 7882-7897'].sort() : [https]);
      const between = resourcesOf(template, 'AWS::EC2::SecurityGroupEgress');
      expect(between.every(({ DestinationSecurityGroupId }) => DestinationSecurityGroupId)).toBe(true);
    });

    test('no container variable looks like a secret', () => {
      const variables: Json[] = resourcesOf(template, 'AWS::ECS::TaskDefinition')
        .flatMap(({ ContainerDefinitions }) => ContainerDefinitions)
        .flatMap(({ Environment = [] }) => Environment);
      expect(variables.length).toBeGreaterThan(0);
      // Names of secrets, never what is in them.
      const secretName = /pass|secret(?!_id$)|token|credential|private|(^|_)key/i;
      // A password in a URL or a connection string, or anything long and random.
      const secretValue = /:\/\/[^/\s]*@|password=|^[A-Za-z0-9+/=_-]{32,}$/i;
      const suspects = variables.filter(
        ({ Name, Value }) => secretName.test(Name) || (typeof Value === 'string' && secretValue.test(Value)),
      );
      expect(suspects).toEqual([]);
    });

    test('no secret stands in the template', () => {
      for (const { SecretString } of resourcesOf(template, 'AWS::SecretsManager::Secret'))
        expect(SecretString).toBeUndefined();
      for (const { Value } of resourcesOf(template, 'AWS::SSM::Parameter')) {
        expect(JSON.stringify(Value)).not.toMatch(/resolve:|@/);
        // SSM refuses an empty value; no validator notices.
        expect(Value).not.toBe('');
      }
    });
  });

  /** The logical id of a group without its hash, or the id of one that is there already. */
  const groupName = (id: Json): string =>
    typeof id === 'string' ? id : id['Fn::GetAtt'][0].replace(/[0-9A-F]{8}$/, '');
});
