import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

/** A model of Bedrock. */
export interface Model {
  /** Id of a model, or of an inference profile. */
  readonly id: string;

  /**
   * Regions that the inference profile `id` may use.
   * @default - `id` is a model in the stack's own region
   */
  readonly profileRegions?: readonly string[];
}

/** Streams of answers of this model and no other. A profile needs its own ARN and the model's in each region. */
export function invokeModel(scope: Construct, { id, profileRegions }: Model): iam.PolicyStatement {
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
        // A global profile asks for the model without a region besides.
        ...(id.startsWith('global.') ? [modelIn('', modelId)] : []),
      ]
    : [modelIn(stack.region, id)];
  return new iam.PolicyStatement({ actions: ['bedrock:InvokeModelWithResponseStream'], resources });
}
