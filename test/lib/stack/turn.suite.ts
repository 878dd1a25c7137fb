import type { KnobInput } from '../../../lib/config/config.ts';
import { attributesOf, type Json, resourcesOf } from '../aws/synthesis.ts';
import { templateOf, variants, warningsFor } from './templates.ts';

const ownDomain = variants['own domain'];
const ownCertificate = { ...variants['own certificate'], liveKitNodes: 2 };
const template = templateOf(ownDomain);

const balancerIn = (knobs: KnobInput): Json =>
  resourcesOf(templateOf(knobs), 'AWS::ElasticLoadBalancingV2::LoadBalancer').find(
    ({ Type }) => Type === 'network',
  );
const listener: Json = resourcesOf(template, 'AWS::ElasticLoadBalancingV2::Listener').find(
  ({ Protocol }) => Protocol === 'TLS',
);

test('TLS ends on port 443, with a certificate and a domain name for TURN', () => {
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

test('the nodes accept it without TLS on their port, and the health check is patient', () => {
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
  expect(service.LoadBalancers.map(({ ContainerPort }: Json) => ContainerPort)).toEqual([7880, 7880, 5349]);
});

test('it is protected in prod, reaches all zones, and keeps a log of handshakes', () => {
  expect(attributesOf(balancerIn(ownDomain).LoadBalancerAttributes)).toMatchObject({
    'deletion_protection.enabled': 'true',
    'load_balancing.cross_zone.enabled': 'true',
    'access_logs.s3.enabled': 'true',
  });
});

test('it reaches only the nodes', () => {
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
  test.each<[string, KnobInput]>([
    ['without a domain', variants['LiveKit on Fargate']],
    ['without LiveKit', variants['own certificate']],
    ['if it is turned off', { ...ownDomain, turn: false }],
    ['without a certificate for a name of its own', ownCertificate],
  ])('there is none %s', (_, knobs) => {
    expect(balancerIn(knobs)).toBeUndefined();
    const nodes = JSON.stringify(resourcesOf(templateOf(knobs), 'AWS::ECS::TaskDefinition'));
    expect(nodes).not.toContain('external_tls');
  });

  test('synth warns about the last case and says what to do', () => {
    const [warning] = warningsFor(ownCertificate).filter((text) => text.includes('TURN'));
    expect(warning).toContain('`turnDomainName`');
  });

  test('a certificate that exists covers the given name, and an output names the target of its record', () => {
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
