import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

/** A model of Amazon Bedrock. */
export interface BedrockModel {
  /** Id of a model or of an inference profile. */
  readonly id: string;

  /**
   * Regions that the inference profile `id` may use.
   * @default - `id` is a model in the stack's own region
   */
  readonly profileRegions?: readonly string[];
}

/**
 * Permission to stream replies of this model and no other. An inference profile needs the permission on itself and on
 * the model in each of its regions.
 */
export function invokeModel(scope: Construct, { id, profileRegions }: BedrockModel): iam.PolicyStatement {
  const stack = Stack.of(scope);
  const modelIn = (region: string, modelId: string) =>
    stack.formatArn({
      service: 'bedrock',
      region,
      account: '',
      resource: 'foundation-model',
      resourceName: modelId,
    });
  const modelId = id.slice(id.indexOf('.') + 1);
  const resources = profileRegions
    ? [
        stack.formatArn({ service: 'bedrock', resource: 'inference-profile', resourceName: id }),
        ...profileRegions.map((region) => modelIn(region, modelId)),
        // A global profile also needs the ARN of the model without a region.
        ...(id.startsWith('global.') ? [modelIn('', modelId)] : []),
      ]
    : [modelIn(stack.region, id)];
  return new iam.PolicyStatement({ actions: ['bedrock:InvokeModelWithResponseStream'], resources });
}
