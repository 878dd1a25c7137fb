import {
  DescribeAvailabilityZonesCommand,
  DescribeInstanceTypeOfferingsCommand,
  DescribeInternetGatewaysCommand,
  DescribeSubnetsCommand,
  type Subnet,
} from '@aws-sdk/client-ec2';
import { zonesWithoutVpcOrigins } from '../../../config/cloudfront-regions.ts';
import { passed } from '../../finding.ts';
import { ask } from '../aws.ts';
import type { Check, Plan } from '../check.ts';
import { type Finding, failed, NotCheckedError, warned } from '../finding.ts';

interface Zone {
  readonly name: string;
  readonly id: string;
}

async function readZones({ aws }: Plan): Promise<Zone[]> {
  const { AvailabilityZones = [] } = await ask(
    'ec2:DescribeAvailabilityZones',
    aws.ec2.send(
      new DescribeAvailabilityZonesCommand({
        Filters: [{ Name: 'zone-type', Values: ['availability-zone'] }],
      }),
    ),
  );
  return AvailabilityZones.filter(({ State }) => State === 'available')
    .map(({ ZoneName = '', ZoneId = '' }) => ({ name: ZoneName, id: ZoneId }))
    .sort((one, other) => one.name.localeCompare(other.name));
}

async function readSubnets({ aws }: Plan, asked: object): Promise<Subnet[]> {
  const { Subnets = [] } = await ask('ec2:DescribeSubnets', aws.ec2.send(new DescribeSubnetsCommand(asked)));
  return Subnets;
}

/** `Fn::GetAZs` leaves out zones without a default subnet, unless none has one. */
async function zonesOfGetAzs(plan: Plan, all: readonly Zone[]): Promise<readonly Zone[]> {
  const subnets = await readSubnets(plan, { Filters: [{ Name: 'default-for-az', Values: ['true'] }] });
  const withDefault = all.filter(({ name }) =>
    subnets.some(({ AvailabilityZone }) => AvailabilityZone === name),
  );
  return withDefault.length > 0 ? withDefault : all;
}

const withIds = (zones: readonly Zone[]) => zones.map(({ name, id }) => `${name} (${id})`).join(', ');

const lacksOrigins = ({ id }: Zone) => zonesWithoutVpcOrigins.has(id);

export const zones: Check = {
  name: 'zones',
  permissions: { 'ec2:DescribeAvailabilityZones': '*', 'ec2:DescribeSubnets': '*' },
  applies: ({ config }) => config.network.kind === 'new',
  async run(plan) {
    const { network, edge, region } = plan.config;
    if (network.kind !== 'new') throw new NotCheckedError('the VPC exists');
    const all = await readZones(plan);
    const isNamed = typeof network.zones !== 'number';
    const { chosen, missing } = isNamed
      ? namedZones(network.zones as readonly string[], all)
      : firstZones(network.zones as number, await zonesOfGetAzs(plan, all));
    if (missing) {
      const usable = edge.kind === 'cloudfront' ? all.filter((zone) => !lacksOrigins(zone)) : all;
      const names = usable.slice(0, 3).map(({ name }) => name);
      const name = `\`-c availabilityZones=${names.join(',')}\``;
      return failed({
        found: `zones of ${region}: ${withIds(all)}`,
        needed: missing,
        fix: isNamed
          ? name
          : `take fewer, \`-c availabilityZoneCount=2\`, or another region, or name them: ${name}`,
      });
    }
    if (edge.kind !== 'cloudfront' || !chosen.some(lacksOrigins)) return passed(withIds(chosen));
    return withoutOrigins(chosen, all);
  },
};

function namedZones(names: readonly string[], all: readonly Zone[]) {
  const chosen = all.filter(({ name }) => names.includes(name));
  const absent = names.filter((wanted) => !all.some(({ name }) => name === wanted));
  return {
    chosen,
    missing: absent.length > 0 ? `zones that there are; not ${absent.join(', ')}` : undefined,
  };
}

function firstZones(count: number, usable: readonly Zone[]) {
  const missing =
    usable.length < count
      ? `${count} zones for \`availabilityZoneCount\`; CloudFormation would give ${usable.length}, those with a default subnet if any has one`
      : undefined;
  return { chosen: usable.slice(0, count), missing };
}

function withoutOrigins(chosen: readonly Zone[], all: readonly Zone[]): Finding {
  const better = all.filter((zone) => !lacksOrigins(zone)).slice(0, Math.max(2, chosen.length));
  return failed({
    found: `${withIds(chosen.filter(lacksOrigins))}, where CloudFront can't reach a load balancer`,
    needed: 'zones with VPC origins of CloudFront',
    fix: `\`-c availabilityZones=${better.map(({ name }) => name).join(',')}\`, or \`availabilityZones\` in cdk.json`,
  });
}

export const network: Check = {
  name: 'existing-vpc',
  permissions: { 'ec2:DescribeSubnets': '*', 'ec2:DescribeInternetGateways': '*' },
  applies: ({ config }) => config.network.kind === 'existing',
  async run(plan) {
    const { network: given, edge } = plan.config;
    if (given.kind !== 'existing') throw new NotCheckedError('the VPC is new');
    const inside = await readSubnets(plan, { Filters: [{ Name: 'vpc-id', Values: [given.vpcId] }] });
    const balanced = given.isolatedSubnetIds ?? given.privateSubnetIds;
    const wanted = [
      ...new Set([
        ...(given.publicSubnetIds ?? []),
        ...given.privateSubnetIds,
        ...(given.isolatedSubnetIds ?? []),
      ]),
    ];
    const absent = wanted.filter((id) => !inside.some(({ SubnetId }) => SubnetId === id));
    if (absent.length > 0)
      return failed({
        found: `${given.vpcId} has no ${absent.join(', ')}`,
        needed: 'subnets of `vpcId`, of this account and region',
        fix: `copy their ids from \`aws ec2 describe-subnets --region ${plan.config.region} --filters Name=vpc-id,Values=${given.vpcId}\``,
      });
    const misplaced = misplacedSubnets(inside, given);
    if (misplaced) return misplaced;
    if (edge.kind !== 'cloudfront')
      return passed(`${given.vpcId} with ${wanted.length} subnets in ${given.availabilityZones.join(', ')}`);
    const bad = inside.filter(
      ({ SubnetId = '', AvailabilityZoneId = '' }) =>
        balanced.includes(SubnetId) && zonesWithoutVpcOrigins.has(AvailabilityZoneId),
    );
    if (bad.length > 0)
      return failed({
        found: bad
          .map(({ SubnetId, AvailabilityZoneId }) => `${SubnetId} in ${AvailabilityZoneId}`)
          .join(', '),
        needed: 'subnets in zones with VPC origins of CloudFront',
        fix: 'name subnets of other zones, or take a load balancer with a domain: `domainName` and cloudFront=false',
      });
    return gatewayOf(plan, given.vpcId, wanted.length);
  },
};

function misplacedSubnets(
  inside: readonly Subnet[],
  given: Extract<Plan['config']['network'], { kind: 'existing' }>,
): Finding | undefined {
  const lists = [given.publicSubnetIds ?? [], given.privateSubnetIds, given.isolatedSubnetIds ?? []];
  const wrong = lists.flatMap((ids) =>
    ids.flatMap((id, index) => {
      const is = inside.find(({ SubnetId }) => SubnetId === id)?.AvailabilityZone;
      return is === given.availabilityZones[index]
        ? []
        : [`${id} is in ${is}, not ${given.availabilityZones[index]}`];
    }),
  );
  if (wrong.length === 0) return undefined;
  return failed({
    found: wrong.join('; '),
    needed: 'subnets in the order of `availabilityZones`',
    fix: 'reorder them, or `availabilityZones`',
  });
}

/** CloudFront wants an internet gateway on the VPC, and no route to it. */
async function gatewayOf({ aws, config }: Plan, vpcId: string, subnets: number): Promise<Finding> {
  const { InternetGateways = [] } = await ask(
    'ec2:DescribeInternetGateways',
    aws.ec2.send(
      new DescribeInternetGatewaysCommand({ Filters: [{ Name: 'attachment.vpc-id', Values: [vpcId] }] }),
    ),
  );
  if (InternetGateways.length > 0) return passed(`${vpcId} with ${subnets} subnets and an internet gateway`);
  return failed({
    found: `${vpcId} has no internet gateway`,
    needed: 'one, by which CloudFront knows that the VPC may be reached; no route to it is needed',
    fix: `\`aws ec2 create-internet-gateway --region ${config.region}\`, then \`aws ec2 attach-internet-gateway --region ${config.region} --vpc-id ${vpcId} --internet-gateway-id igw-…\``,
  });
}

export const hostZones: Check = {
  name: 'host-zones',
  permissions: {
    'ec2:DescribeInstanceTypeOfferings': '*',
    'ec2:DescribeAvailabilityZones': '*',
    'ec2:DescribeSubnets': '*',
  },
  applies: ({ config }) => config.liveKit?.capacity.kind === 'ec2',
  async run(plan) {
    const { liveKit, network: given } = plan.config;
    if (liveKit?.capacity.kind !== 'ec2') throw new NotCheckedError('LiveKit has no hosts');
    const { instanceType } = liveKit.capacity;
    const { InstanceTypeOfferings = [] } = await ask(
      'ec2:DescribeInstanceTypeOfferings',
      plan.aws.ec2.send(
        new DescribeInstanceTypeOfferingsCommand({
          LocationType: 'availability-zone',
          Filters: [{ Name: 'instance-type', Values: [instanceType] }],
        }),
      ),
    );
    const offered = InstanceTypeOfferings.map(({ Location = '' }) => Location);
    const chosen =
      given.kind === 'existing'
        ? given.availabilityZones
        : typeof given.zones !== 'number'
          ? given.zones
          : (await zonesOfGetAzs(plan, await readZones(plan))).slice(0, given.zones).map(({ name }) => name);
    const lacking = chosen.filter((name) => !offered.includes(name));
    if (lacking.length === 0) return passed(`${instanceType} in ${chosen.join(', ')}`);
    const complain = lacking.length === chosen.length ? failed : warned;
    return complain({
      found: `no ${instanceType} in ${lacking.join(', ')}`,
      needed: 'LiveKit’s hosts in several zones, so that a lost zone takes some of them only',
      fix: `another \`liveKitInstanceType\`, or \`availabilityZones\` of ${offered.sort().join(', ') || 'another region'}`,
    });
  },
};
