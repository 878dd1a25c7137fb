import { type RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface LiveKitKeyProps {
  /** What becomes of it when the stack goes. */
  readonly removalPolicy: RemovalPolicy;
}

/** LiveKit's API key and its secret, which sign what nodes, service and agent say to each other. */
export class LiveKitKey extends Construct {
  /** Name of the key, which is no secret: webhooks are signed with it. */
  readonly keyName = 'realtime';

  /** JSON `apiKey` and `apiSecret`. */
  readonly secret: secretsmanager.Secret;

  constructor(scope: Construct, id: string, props: LiveKitKeyProps) {
    super(scope, id);
    this.secret = new secretsmanager.Secret(this, 'Secret', {
      description: 'LiveKit’s API key and secret',
      removalPolicy: props.removalPolicy,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ apiKey: this.keyName }),
        generateStringKey: 'apiSecret',
        passwordLength: 64,
        // It stands in YAML.
        excludePunctuation: true,
      },
    });
    Validations.of(this.secret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason:
        'Nodes, service and agent read it at start and must agree: it is rotated by a deployment of all three.',
    });
  }

  /** @returns key and secret as variables of a container, by the names that it reads */
  variables(names: { readonly apiKey: string; readonly apiSecret: string }): Record<string, ecs.Secret> {
    return {
      [names.apiKey]: ecs.Secret.fromSecretsManager(this.secret, 'apiKey'),
      [names.apiSecret]: ecs.Secret.fromSecretsManager(this.secret, 'apiSecret'),
    };
  }
}
