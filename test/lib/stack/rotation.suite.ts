import { parse } from 'yaml';
import type { KnobInput } from '../../../lib/config/config.ts';
import { containerOf, type Json, resourcesOf, variablesOf, withoutHash } from '../aws/synthesis.ts';
import { altered, describeAltered, resourcesById, templateOf, variants } from './templates.ts';

/** The roles that may read each of the cache's passwords, by logical ids without hashes. */
function readersOf(knobs: Record<string, unknown>): Map<string, string[]> {
  const readers = new Map<string, string[]>();
  for (const { PolicyDocument, Roles } of resourcesOf(templateOf(knobs), 'AWS::IAM::Policy'))
    for (const { Action, Resource } of PolicyDocument.Statement)
      if ([Action].flat().includes('secretsmanager:GetSecretValue'))
        for (const { Ref = '' } of [Resource].flat())
          if (/UserPassword[AB]\d/.test(Ref))
            readers.set(Ref, [
              ...(readers.get(Ref) ?? []),
              ...Roles.map((role: Json) => withoutHash(role.Ref)),
            ]);
  return new Map([...readers].map(([id, roles]) => [id, [...new Set(roles)]]));
}

describeAltered((knobs) => {
  test('while a rotation is deployed, old tasks may read the password that they use', () => {
    const [before, after] = [readersOf(knobs), readersOf(altered(knobs))];
    const used = [...before].filter(([id]) => /PasswordA1/.test(id));
    expect(used.length > 0).toBe(hasCache(knobs));
    for (const [id, roles] of used) expect(after.get(id)).toEqual(roles);
  });
});

function hasCache(knobs: KnobInput): boolean {
  const types = Object.values(resourcesById(knobs)).map(({ Type }) => Type);
  return types.includes('AWS::ElastiCache::ReplicationGroup');
}

/** Secrets of LiveKit's key, by logical id without hash. */
interface LiveKeys {
  readonly secrets: readonly string[];
  readonly accepts: readonly string[];
  readonly reports: string;
  readonly signs: string;
  readonly verifies: readonly string[];
  readonly agentSigns: string;
}

/** Which version each container of a template signs with, and which it accepts. */
function liveKeys(knobs: Record<string, unknown>): LiveKeys {
  const template = templateOf(knobs);
  const tasks = resourcesOf(template, 'AWS::ECS::TaskDefinition');
  const [node, service, agent] = ['livekit', 'app', 'agent'].map((name) =>
    tasks.map((task) => containerOf(task, name)).find((container) => container),
  );
  const secretOf = (container: Json, variable: string): string => {
    const { ValueFrom } = container.Secrets.find(({ Name }: Json) => Name === variable);
    return withoutHash(ValueFrom['Fn::Join'][1].find((part: Json) => part.Ref?.startsWith('LiveKitKey')).Ref);
  };
  // The node's script, run with the names of the secrets in place of their values.
  const script = node.Command[0].split('\nunset')[0];
  const [, keys] = /LIVEKIT_KEYS="([^"]+)"/.exec(script) as unknown as [string, string];
  const accepted = parse(keys.replace(/\$(\w+)/g, (_, variable) => secretOf(node, variable))) as Record<
    string,
    string
  >;
  const { webhook } = JSON.parse(variablesOf(node).LIVEKIT_CONFIG as string);
  return {
    secrets: Object.keys(template.findResources('AWS::SecretsManager::Secret'))
      .filter((id) => id.startsWith('LiveKitKey'))
      .map(withoutHash)
      .sort(),
    accepts: Object.values(accepted),
    reports: accepted[webhook.api_key] as string,
    signs: secretOf(service, 'LIVEKIT_API_SECRET'),
    verifies: ['LIVEKIT_API_SECRET', 'LIVEKIT_PREVIOUS_API_SECRET'].map((name) => secretOf(service, name)),
    agentSigns: secretOf(agent, 'LIVEKIT_API_SECRET'),
  };
}

describe('a rotation of LiveKit’s key', () => {
  const calls = variants['own domain'];
  /** Service and agents of each version meet nodes of each, in the order in which a deployment replaces them. */
  const [before, after] = [2, 3].map((liveKitKeyVersion) => liveKeys({ ...calls, liveKitKeyVersion })) as [
    LiveKeys,
    LiveKeys,
  ];

  test.each([
    ['nothing is replaced yet', before, before, before],
    ['the service is replaced, the nodes are not', after, before, before],
    ['the nodes are replaced, the agent is not', after, after, before],
    ['all are replaced', after, after, after],
  ])('%s: nodes accept every token, and the service every report', (_, service, node, agent) => {
    expect(node.accepts).toContain(service.signs);
    expect(node.accepts).toContain(agent.agentSigns);
    expect(service.verifies).toContain(node.reports);
  });

  test('while some of the nodes are replaced, the service that has been replaced understands both', () => {
    for (const node of [before, after]) {
      expect(node.accepts).toContain(after.signs);
      expect(after.verifies).toContain(node.reports);
    }
  });

  test('a deployment replaces the service, then the nodes, then the agent', () => {
    const services = Object.entries(resourcesById(calls)).filter(
      ([, { Type }]) => Type === 'AWS::ECS::Service',
    );
    const [service, nodes, agent] = [/^ServiceContainer/, /^LiveKit/, /^Agent/].map(
      (name) => services.find(([id]) => name.test(id)) as [string, Json],
    ) as [string, Json][] as [[string, Json], [string, Json], [string, Json]];
    expect(nodes[1].DependsOn).toContain(service[0]);
    expect(agent[1].DependsOn).toContain(nodes[0]);
  });

  test('a secret that leaked is accepted by nobody after two rotations', () => {
    const later = liveKeys({ ...calls, liveKitKeyVersion: 4 });
    expect(before.accepts).toContain(before.signs);
    expect([...later.accepts, ...later.verifies]).not.toContain(before.signs);
  });

  test('a version’s secret is one resource in every template, and none is kept for an older one', () => {
    expect(before.secrets).toEqual(['LiveKitKeyVersion1', 'LiveKitKeyVersion2', 'LiveKitKeyVersion3']);
    expect(after.secrets).toEqual(['LiveKitKeyVersion2', 'LiveKitKeyVersion3', 'LiveKitKeyVersion4']);
  });
});
