import * as iam from 'aws-cdk-lib/aws-iam';
import type * as ssm from 'aws-cdk-lib/aws-ssm';

/** Less than `grantRead`, which allows the whole history and a description besides. */
export function readParameter(parameter: ssm.IStringParameter): iam.PolicyStatement {
  return new iam.PolicyStatement({ actions: ['ssm:GetParameter'], resources: [parameter.parameterArn] });
}
