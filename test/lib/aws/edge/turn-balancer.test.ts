import type { RealtimeConfigInput } from '../../../../lib/config/config.ts';
import { realtimeStack, templateOf, variants } from '../stack-templates.ts';
import { attributesOf, type Json, resourcesOf, warningsOf } from '../synthesis.ts';

const ownDomain = variants['own domain'];
const ownCertificate = { ...variants['own certificate'], liveKitNodes: 2 };
const template = templateOf(ownDomain);

const balancerIn = (knobs: RealtimeConfigInput): Json =>
  resourcesOf(templateOf(knobs), 'AWS::ElasticLoadBalancingV2::LoadBalancer').find(
    ({ Type }) => Type === 'network',
  );
const listener: Json = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::Listener').find(
  ({ Protocol }) => Protocol === 'TLS',
);

test('TLS of TURN ends on port 443, under a certificate and a name of its own', () => {
  expect(balancerIn(ownDomain)).toMatchObject({ Scheme: 'internet-facing' });
  expect(listener).toMatchObject({
    Port: 443,
    SslPolicy: 'ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09',
    Certificates: [{ CertificateArn: { Ref: expect.stringMatching(/^TurnValidatedCertificate/) } }],
  });
  const names = resourcesOf(template, 'AWS::Route53::RecordSet').map(({ Name }) => Name);
  expect(names.sort()).toEqual(['realtime.example.com.', 'turn.realtime.example.com.']);
  const { Outputs } = template.toJSON();
  expect(Outputs.TurnName.Value).toBe('turn.realtime.example.com');
  expect(Outputs).not.toHaveProperty('TurnLoadBalancerName');
});

test('the nodes take it plain, on the port that they are told, and are checked by it with patience', () => {
  const group = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::TargetGroup').find(
    ({ Protocol }) => Protocol === 'TCP',
  );
  expect(group).toMatchObject({
    Port: 5349,
    TargetType: 'instance',
    HealthCheckProtocol: 'TCP',
    HealthCheckIntervalSeconds: 30,
    UnhealthyThresholdCount: 10,
  });
  const [service] = Object.entries(template.findResources('AWS::ECS::Service'))
    .filter(([id]) => id.startsWith('LiveKitService'))
    .map(([, { Properties }]: Json) => Properties);
  expect(service.LoadBalancers.map(({ ContainerPort }: Json) => ContainerPort)).toEqual([7880, 5349]);
});

test('it is protected in prod, reaches all zones, and keeps a log of handshakes', () => {
  expect(attributesOf(balancerIn(ownDomain).LoadBalancerAttributes)).toMatchObject({
    'deletion_protection.enabled': 'true',
    'load_balancing.cross_zone.enabled': 'true',
    'access_logs.s3.enabled': 'true',
  });
});

test('nothing but the nodes is reached through it', () => {
  const group = resourcesOf(template, 'AWS::EC2::SecurityGroup').find(({ GroupDescription }) =>
    GroupDescription.startsWith('TURN'),
  );
  expect(group.SecurityGroupIngress).toMatchObject([{ IpProtocol: 'tcp', FromPort: 443, ToPort: 443 }]);
  expect(group.SecurityGroupEgress).toBeUndefined();
  const out = resourcesOf(template, 'AWS::EC2::SecurityGroupEgress').filter(({ GroupId }) =>
    JSON.stringify(GroupId).includes('TurnSecurityGroup'),
  );
  expect(out).toMatchObject([{ FromPort: 5349, ToPort: 5349 }]);
});

test('on Fargate its targets are addresses', () => {
  const onFargate = templateOf({ ...ownDomain, liveKitCapacity: 'fargate' });
  const group = resourcesOf(onFargate, 'AWS::ElasticLoadBalancingV2::TargetGroup').find(
    ({ Protocol }) => Protocol === 'TCP',
  );
  expect(group).toMatchObject({ Port: 5349, TargetType: 'ip' });
});

describe('whether there is one', () => {
  test.each<[string, RealtimeConfigInput]>([
    ['without a domain', { liveKitNodes: 2 }],
    ['without LiveKit', variants['own certificate']],
    ['where it is not wanted', { ...ownDomain, turn: false }],
    ['where nothing can vouch for a name of its own', ownCertificate],
  ])('there is none %s', (_, knobs) => {
    expect(balancerIn(knobs)).toBeUndefined();
    const nodes = JSON.stringify(resourcesOf(templateOf(knobs), 'AWS::ECS::TaskDefinition'));
    expect(nodes).not.toContain('external_tls');
  });

  test('the last one is said, with the way out', () => {
    const [warning] = warningsOf(realtimeStack(ownCertificate)).filter((text) => text.includes('TURN'));
    expect(warning).toContain('`turnDomainName`');
    expect(warningsOf(realtimeStack({ ...ownCertificate, turn: false })).join()).not.toContain('TURN');
  });

  test('a certificate of one’s own covers the name that is given, and its record is one’s own', () => {
    const named = templateOf({ ...ownCertificate, turnDomainName: 'turn.example.com' });
    const tls = resourcesOf(named, 'AWS::ElasticLoadBalancingV2::Listener').find(
      ({ Protocol }) => Protocol === 'TLS',
    );
    expect(tls.Certificates).toEqual([{ CertificateArn: ownCertificate.certificateArn }]);
    const { Outputs } = named.toJSON();
    expect(Outputs.TurnName.Value).toBe('turn.example.com');
    expect(JSON.stringify(Outputs.TurnLoadBalancerName.Value)).toContain('DNSName');
    expect(resourcesOf(named, 'AWS::Route53::RecordSet')).toEqual([]);
  });
});
