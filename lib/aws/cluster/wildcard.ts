import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** An ARN as cdk-nag writes it in the id of a finding: references as `<LogicalId>`. */
export function wildcardOf(scope: Construct, arn: string): string {
  const resolved = Stack.of(scope).resolve(arn);
  const parts: unknown[] = typeof resolved === 'string' ? [resolved] : resolved['Fn::Join'][1];
  return parts
    .map((part) => (typeof part === 'string' ? part : `<${(part as { Ref: string }).Ref}>`))
    .join('');
}
