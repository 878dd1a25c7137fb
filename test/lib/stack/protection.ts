import type { KnobInput } from '../../../lib/config/config.ts';
import { attributesOf, withoutHash } from '../aws/synthesis.ts';
import { resourcesById } from './templates.ts';

/** What a variant's template keeps from deletion, by logical id. */
export function protectedIn(knobs: KnobInput): string[] {
  return Object.entries(resourcesById(knobs)).flatMap(([id, { Properties }]) => {
    const attributes = attributesOf(Properties?.LoadBalancerAttributes ?? []);
    const isProtected =
      attributes['deletion_protection.enabled'] === 'true' ||
      Properties?.NewInstancesProtectedFromScaleIn === true ||
      Properties?.AutoScalingGroupProvider?.ManagedTerminationProtection === 'ENABLED' ||
      Properties?.DeletionProtectionEnabled === true;
    return isProtected ? [withoutHash(id)] : [];
  });
}
