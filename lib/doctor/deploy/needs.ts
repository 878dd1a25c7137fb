import { nodesOf, ofType, type Template, tasksOf } from '../../cost/bill.ts';

/** What a template takes of what an account has a quota for. */
export interface Needs {
  readonly addresses: number;
  readonly networks: number;
  readonly applicationLoadBalancers: number;
  readonly networkLoadBalancers: number;
  /** Nodes of all caches, of each shard of a cluster. */
  readonly cacheNodes: number;
  /** vCPUs of all tasks on Fargate: at least, and when they have scaled out. */
  readonly fargate: { readonly least: number; readonly most: number };
}

export function needsOf(template: Template): Needs {
  const number = (type: string) => ofType(template, type).length;
  const balancers = ofType(template, 'AWS::ElasticLoadBalancingV2::LoadBalancer');
  const network = balancers.filter(([, { Type }]) => Type === 'network').length;
  return {
    addresses: number('AWS::EC2::EIP'),
    networks: number('AWS::EC2::VPC'),
    applicationLoadBalancers: balancers.length - network,
    networkLoadBalancers: network,
    cacheNodes: ofType(template, 'AWS::ElastiCache::ReplicationGroup').reduce(
      (sum, [, group]) => sum + nodesOf(group),
      0,
    ),
    fargate: fargateOf(template),
  };
}

function fargateOf(template: Template): Needs['fargate'] {
  const services = ofType(template, 'AWS::ECS::Service')
    .filter(([, { LaunchType }]) => LaunchType === 'FARGATE')
    .map(([id, service]) => {
      const vCpus = Number(template.Resources[service.TaskDefinition.Ref]?.Properties?.Cpu ?? 0) / 1024;
      const least = tasksOf(id, service, template);
      return { least: vCpus * least, most: vCpus * Math.max(least, mostTasksOf(id, template)) };
    });
  const sum = (of: 'least' | 'most') => services.reduce((all, each) => all + each[of], 0);
  return { least: sum('least'), most: sum('most') };
}

function mostTasksOf(service: string, template: Template): number {
  const own = ofType(template, 'AWS::ApplicationAutoScaling::ScalableTarget').find(([, { ResourceId }]) =>
    JSON.stringify(ResourceId).includes(`"${service}"`),
  );
  return own?.[1].MaxCapacity ?? 0;
}
