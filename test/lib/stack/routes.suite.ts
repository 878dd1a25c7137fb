import type { Json } from '../aws/synthesis.ts';
import { resourcesById, variants } from './templates.ts';

/** Whether a resource is created after another one, directly or through others. */
function isAfter(
  resources: Record<string, Json>,
  id: string,
  other: string,
  seen = new Set<string>(),
): boolean {
  const before: string[] = [resources[id]?.DependsOn ?? []].flat();
  return before.some((next) => {
    if (next === other) return true;
    if (seen.has(next)) return false;
    return isAfter(resources, next, other, seen.add(next));
  });
}

/** The subnets in which a service's tasks or a group's hosts run, by logical id. */
const subnetsOf = ({ Properties }: Json): string[] =>
  (
    Properties.NetworkConfiguration?.AwsvpcConfiguration?.Subnets ??
    Properties.VPCZoneIdentifier ??
    []
  ).flatMap(({ Ref }: Json) => Ref ?? []);

/** The default routes of a subnet. */
function routesOf(resources: Record<string, Json>, subnet: string): string[] {
  const ofType = (type: string) => Object.entries(resources).filter(([, { Type }]) => Type === type);
  const tables = ofType('AWS::EC2::SubnetRouteTableAssociation')
    .filter(([, { Properties }]) => Properties.SubnetId.Ref === subnet)
    .map(([, { Properties }]) => Properties.RouteTableId.Ref);
  return ofType('AWS::EC2::Route')
    .filter(([, { Properties }]) => tables.includes(Properties.RouteTableId.Ref))
    .map(([id]) => id);
}

test.each(Object.entries(variants))(
  '%s: tasks and hosts start when the routes of their subnets exist',
  (_, knobs) => {
    const resources = resourcesById(knobs);
    const started = Object.entries(resources).filter(([, { Type }]) =>
      ['AWS::ECS::Service', 'AWS::AutoScaling::AutoScalingGroup'].includes(Type),
    );
    const early = started.flatMap(([id, resource]) =>
      subnetsOf(resource)
        .flatMap((subnet) => {
          const routes = routesOf(resources, subnet);
          expect(routes).toHaveLength(1);
          return routes;
        })
        .filter((route) => !isAfter(resources, id, route))
        .map((route) => `${id} may start before ${route}`),
    );
    expect(early).toEqual([]);
    const inNewNetwork = Object.values(resources).some(({ Type }) => Type === 'AWS::EC2::VPC');
    expect(started.flatMap(([, resource]) => subnetsOf(resource)).length > 0).toBe(inNewNetwork);
  },
);
