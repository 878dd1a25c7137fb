import { readEnvironment } from '../../../app/server/environment.ts';
import { invokeModel } from '../../../lib/aws/service/bedrock-model.ts';
import type { KnobInput } from '../../../lib/config/config.ts';
import { containerOf, type Json, newStack, resourcesOf, variablesOf, withoutHash } from '../aws/synthesis.ts';
import { resourcesById, templateOf, variants } from './templates.ts';

const containerIn = (knobs?: KnobInput): Json =>
  resourcesOf(templateOf(knobs), 'AWS::ECS::TaskDefinition')
    .map((task) => containerOf(task, 'app'))
    .find((container) => container);
const secretNames = (container: Json) => container.Secrets.map(({ Name }: Json) => Name);

const statementsIn = (knobs?: KnobInput): Json[] =>
  resourcesOf(templateOf(knobs), 'AWS::IAM::Policy').find(({ PolicyName }) =>
    PolicyName.startsWith('ServiceContainerTaskTaskRole'),
  ).PolicyDocument.Statement;

/** Secrets as ECS reads them. */
const secrets = { AUTH_SECRET: 'x'.repeat(64), SERVICE_TOKEN: 'y'.repeat(64) };

test('it gets every variable that it needs, and understands them', () => {
  const variables = variablesOf(containerIn());
  expect(variables).toEqual({
    PORT: '3000',
    HOST: '0.0.0.0',
    DEPLOYMENT: 'realtime-dev',
    IDLE_TIMEOUT_SECONDS: '120',
    DRAIN_SECONDS: '10',
    TRUSTED_PROXY_HOPS: '2',
    ADMIN_PORT: '9464',
    RELAY_PORT: '3100',
    EMF_NAMESPACE: 'RealtimeStack',
    GUESTS: 'true',
    REDIS_URL_PARAMETER: expect.stringMatching(/^RedisRedisUrl/),
    REDIS_SECRET_ID: expect.stringMatching(/^RedisUsersAppUserPasswordA1/),
    CORS_ORIGINS: expect.stringMatching(/^https:\/\/EdgeDistribution/),
  });
  expect(() => readEnvironment({ ...variables, ...secrets })).not.toThrow();
});

test('bridges have a Redis user that sees the channels that they name, and read their own login', () => {
  const knobs = {
    ...{ mainHub: true, pythonSocketio: '/=emit,/bots=publish', pythonSocketioVersion: '5.10.0' },
    emitter: '/bots=publish',
  };
  const [user] = resourcesOf(templateOf(knobs), 'AWS::ElastiCache::User').filter(
    ({ UserName }) => UserName === 'bridges',
  );
  expect(user?.AccessString).toBe(
    'on &socketio &socket.io#/bots#* &socket.io-request#/bots# -@all +client|setname +info +ping +psubscribe +publish +punsubscribe +select +subscribe +unsubscribe',
  );
  const variables = variablesOf(containerIn(knobs));
  expect(variables.BRIDGES_REDIS_SECRET_ID).toMatch(/^RedisUsersBridgesUserPasswordA1/);
  const { bridges, mainHub } = readEnvironment({ ...variables, ...secrets });
  expect(mainHub).toBe(true);
  expect(bridges.python).toEqual({
    namespaces: [
      { namespace: '/', mode: 'emit' },
      { namespace: '/bots', mode: 'publish' },
    ],
    channel: 'socketio',
    version: [5, 10, 0],
  });
  expect(bridges.redis).toEqual({
    parameterName: variables.REDIS_URL_PARAMETER,
    secretId: variables.BRIDGES_REDIS_SECRET_ID,
  });
  const readable = statementsIn(knobs).flatMap(({ Action, Resource }) =>
    Action === 'secretsmanager:GetSecretValue' ? JSON.stringify(Resource) : [],
  );
  expect(readable.join()).toContain('RedisUsersBridgesUserPasswordA1');
});

test('bypassed, it keeps the user of its bridges and has none', () => {
  const knobs = { backplane: 'bypassed', emitter: '/bots=emit' };
  expect(variablesOf(containerIn(knobs))).not.toHaveProperty('EMITTER');
  templateOf(knobs).hasResourceProperties('AWS::ElastiCache::User', { UserName: 'bridges' });
});

test('without Redis it is configured to run alone', () => {
  const variables = variablesOf(containerIn({ backplane: 'none' }));
  expect(variables.REDIS_URL).toBe('none');
  expect(variables).not.toHaveProperty('REDIS_URL_PARAMETER');
  expect(variables).not.toHaveProperty('RELAY_PORT');
});

test('behind CloudFront, which hides the host name, it gets its own origin', () => {
  expect(variablesOf(containerIn(variants['own certificate']))).toMatchObject({ TRUSTED_PROXY_HOPS: '1' });
  expect(variablesOf(containerIn(variants['own certificate']))).not.toHaveProperty('CORS_ORIGINS');
  expect(variablesOf(containerIn(variants['everything on'])).CORS_ORIGINS).toContain(
    ',https://app.example.com',
  );
});

test('its secrets are generated, kept in prod, and reach the container only as secrets', () => {
  expect(secretNames(containerIn())).toEqual(['AUTH_SECRET', 'SERVICE_TOKEN']);
  templateOf(variants.prod).hasResource('AWS::SecretsManager::Secret', {
    DeletionPolicy: 'RetainExceptOnCreate',
    // During a rotation a secret has two values with a comma between them.
    Properties: { GenerateSecretString: { ExcludePunctuation: true, PasswordLength: 64 } },
  });
});

test('with LiveKit it gets the address of calls and the key that the nodes have', () => {
  const tasks = resourcesOf(templateOf(variants['own domain']), 'AWS::ECS::TaskDefinition');
  const [node] = tasks.map((task) => containerOf(task, 'livekit')).filter((container) => container);
  const service = containerIn(variants['own domain']);
  const secretOf = (container: Json) =>
    container.Secrets.find(({ Name }: Json) => Name === 'LIVEKIT_API_SECRET').ValueFrom;
  expect(secretOf(service)).toEqual(secretOf(node));
  const { liveKit } = readEnvironment({
    ...variablesOf(service),
    ...secrets,
    LIVEKIT_API_KEY: 'realtime',
    LIVEKIT_API_SECRET: 'c'.repeat(64),
  });
  expect(liveKit).toMatchObject({
    url: 'wss://realtime.example.com',
    apiUrl: expect.stringMatching(/^http:\/\/EdgeInternalPrivateLoadBalancer/),
  });
});

test('its task reads its parameter and its secret, asks for its own state, and does nothing else', () => {
  expect(statementsIn().flatMap(({ Action }) => Action)).toEqual([
    'ssm:GetParameter',
    'secretsmanager:GetSecretValue',
    'ecs:DescribeTasks',
  ]);
  expect(JSON.stringify(statementsIn().at(-1)?.Resource)).toMatch(/:task\/".*Cluster.*"\/\*"/);
});

test('it may invoke one model of Bedrock, in streams, and no other', () => {
  const resources = ({ Resource }: Json) => [Resource].flat().map((arn: Json) => JSON.stringify(arn));
  const granted = statementsIn(variants['everything on']).find(
    ({ Action }) => Action === 'bedrock:InvokeModelWithResponseStream',
  );
  expect(resources(granted)).toEqual([
    '"arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"',
    '"arn:aws:bedrock:eu-west-3::foundation-model/amazon.nova-lite-v1:0"',
    expect.stringContaining(':inference-profile/eu.amazon.nova-lite-v1:0'),
  ]);
  const stack = newStack();
  const statement = invokeModel(stack, { id: 'amazon.nova-lite-v1:0' }).toStatementJson();
  expect(stack.resolve(statement)).toMatchObject({
    Action: 'bedrock:InvokeModelWithResponseStream',
    Resource: expect.stringMatching(/:bedrock:us-east-1::foundation-model\/amazon\.nova-lite-v1:0$/),
  });
});

test('it is created behind the load balancer, after the cache and its users', () => {
  const [, service] = Object.entries(resourcesById()).find(
    ([id, { Type }]) => Type === 'AWS::ECS::Service' && id.startsWith('Service'),
  ) as [string, Json];
  expect(service.Properties).toMatchObject({
    DesiredCount: 2,
    LoadBalancers: [{ ContainerName: 'app', ContainerPort: 3000 }],
  });
  expect(service.DependsOn.map(withoutHash)).toEqual(
    expect.arrayContaining([
      'RedisCache',
      'RedisUsersGroup',
      'RedisUsersAppUser',
      'ServiceContainerTaskTaskRoleDefaultPolicy',
      'EdgeBalancerPrivateLoadBalancerPrivateHttp',
    ]),
  );
});

test('its Redis user may do what the service does, in its own deployment', () => {
  const users = resourcesOf(templateOf(variants.prod), 'AWS::ElastiCache::User');
  const { AccessString } = users.find(({ UserName }) => UserName === 'app');
  expect(AccessString).toMatch(/^on ~realtime-prod:\* &realtime-prod:\* -@all \+/);
  expect(AccessString).not.toMatch(/@(?!all)|reset|allkeys|allcommands/);
});

test('in prod it scales on connections, averaged over the tasks, and on CPU; in dev it does not', () => {
  templateOf().resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 0);
  const prod = templateOf(variants.prod);
  prod.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
    MinCapacity: 3,
    MaxCapacity: 12,
  });
  const policies = resourcesOf(prod, 'AWS::ApplicationAutoScaling::ScalingPolicy').map(
    ({ TargetTrackingScalingPolicyConfiguration: policy }) => policy,
  );
  expect(policies).toEqual([
    expect.objectContaining({
      TargetValue: 5000,
      CustomizedMetricSpecification: {
        Namespace: 'RealtimeStack',
        MetricName: 'Connections',
        Statistic: 'Average',
        Dimensions: [
          { Name: 'Deployment', Value: 'realtime-prod' },
          { Name: 'Service', Value: 'app' },
        ],
      },
    }),
    expect.objectContaining({
      TargetValue: 60,
      PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' },
    }),
  ]);
  for (const { ScaleOutCooldown, ScaleInCooldown } of policies)
    expect([ScaleOutCooldown, ScaleInCooldown]).toEqual([60, 900]);
});

test('on several shards it gets another address, and nothing else: it sees by itself that it is a cluster', () => {
  const [one, many] = [variants.prod, { ...variants.prod, cacheShards: 3 }].map((knobs) =>
    containerIn(knobs),
  );
  const { REDIS_URL_PARAMETER: address, ...others } = variablesOf(one);
  const { REDIS_URL_PARAMETER: shards, ...same } = variablesOf(many);
  expect(address).toMatch(/^RedisRedisUrl/);
  expect(shards).toMatch(/^RedisShardsOf2RedisUrl/);
  expect(same).toEqual(others);
  expect(many.Secrets).toEqual(one.Secrets);
});
