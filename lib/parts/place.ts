import { Fn } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { ExistingNetwork } from '../aws/network/existing-network.ts';
import { Network } from '../aws/network/network.ts';
import type { Place } from '../aws/network/place.ts';
import type { RealtimeConfig } from '../config/config.ts';
import { removalPolicyOf } from './removal.ts';

/** A VPC of the stack's own, or the existing one that the configuration names. */
export function createPlace(scope: Construct, config: RealtimeConfig): Place {
  if (config.vpcId)
    return new ExistingNetwork(scope, 'Network', {
      vpcId: config.vpcId,
      availabilityZones: config.availabilityZones ?? [],
      publicSubnetIds: config.publicSubnetIds,
      privateSubnetIds: config.privateSubnetIds ?? [],
      isolatedSubnetIds: config.isolatedSubnetIds,
    });
  return new Network(scope, 'Network', {
    availabilityZones: zonesOf(config),
    natGateways: config.natGateways,
    flowLogRetention: config.logRetentionDays,
    removalPolicy: removalPolicyOf(config),
  });
}

/** `maxAzs` would give two zones where the account is not known; selecting them gives as many as are asked for. */
function zonesOf({ availabilityZones, availabilityZoneCount }: RealtimeConfig): string[] {
  return (
    availabilityZones ??
    Array.from({ length: availabilityZoneCount }, (_, index) => Fn.select(index, Fn.getAzs()))
  );
}
