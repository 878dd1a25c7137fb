import { RemovalPolicy } from 'aws-cdk-lib';
import type { RealtimeConfig } from '../config/config.ts';

/** What becomes of logs and secrets when the stack goes. */
export function removalPolicyOf({ removalPolicy }: RealtimeConfig): RemovalPolicy {
  return removalPolicy === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
}
