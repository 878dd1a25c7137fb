import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Json, resourcesOf } from '../aws/synthesis.ts';
import { templateOf, variants } from './templates.ts';

const interfacesOf = (knobs: Json): Json[] =>
  resourcesOf(templateOf(knobs), 'AWS::EC2::VPCEndpoint').filter(
    ({ VpcEndpointType }) => VpcEndpointType === 'Interface',
  );
const servicesOf = (knobs: Json): string[] =>
  interfacesOf(knobs).map(({ ServiceName }) => /^com\.amazonaws\.[^.]+\.(.+)$/.exec(ServiceName)?.[1] ?? '');

/** The services whose clients the sources of a folder import. */
function clientsIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.includes('node_modules'),
  );
  const texts = files.map((path) => readFileSync(join(folder, path), 'utf8'));
  return texts.flatMap((text) =>
    [...text.matchAll(/'@aws-sdk\/client-([a-z-]+)'/g)].map(([, name = '']) => name),
  );
}

test('every service that tasks call through a client has an endpoint', () => {
  const called = new Set([...clientsIn('app/server'), ...clientsIn('livekit')]);
  expect(called.size).toBeGreaterThan(2);
  const names: Record<string, string> = { 'secrets-manager': 'secretsmanager' };
  const endpoints = servicesOf(variants['everything on']);
  expect([...called].map((name) => names[name] ?? name).filter((name) => !endpoints.includes(name))).toEqual(
    [],
  );
});

test('ECS itself reads images, secrets and parameters, and writes logs', () => {
  expect(servicesOf({ privateLink: true }).sort()).toEqual([
    'ecr.api',
    'ecr.dkr',
    'ecs',
    'logs',
    'secretsmanager',
    'ssm',
  ]);
});

test('tasks find an endpoint in each zone by the service’s usual name, where no route leaves the VPC', () => {
  for (const { SubnetIds, PrivateDnsEnabled, SecurityGroupIds } of interfacesOf({ privateLink: true })) {
    expect(SubnetIds.map(({ Ref }: Json) => Ref)).toEqual([
      expect.stringMatching(/IsolatedSubnet1/),
      expect.stringMatching(/IsolatedSubnet2/),
    ]);
    expect(PrivateDnsEnabled).toBe(true);
    expect(SecurityGroupIds).toEqual([
      { 'Fn::GetAtt': [expect.stringMatching(/^NetworkEndpointSecurityGroup/), 'GroupId'] },
    ]);
  }
});

test('without the knob there is none', () => {
  for (const knobs of [variants.dev, variants.prod]) expect(interfacesOf(knobs)).toEqual([]);
});
