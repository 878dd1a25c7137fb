import { type RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface LiveKitKeyProps {
  /** Version of the key, from 1. */
  readonly version: number;

  /** What happens to the secrets when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * The customer's KMS key with which they are encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

/** One version of the key. */
export interface ApiKeyVersion {
  /** Name of the key, which whatever it signs names as the issuer. It is no secret. */
  readonly name: string;

  /** The name, as a variable of a container. */
  readonly apiKey: ecs.Secret;

  /** The key's secret, as a variable of a container. */
  readonly apiSecret: ecs.Secret;
}

/**
 * LiveKit's API key in three versions, each a secret of its own. Service, agent and nodes sign with the current one.
 * Nodes accept all three: in a rotation the service is replaced first, so that nodes of the version before get tokens of
 * the next one, and their successors get tokens of the previous one from agents that are still running.
 */
export class LiveKitKey extends Construct {
  readonly previous: ApiKeyVersion;
  readonly current: ApiKeyVersion;
  readonly next: ApiKeyVersion;

  constructor(scope: Construct, id: string, props: LiveKitKeyProps) {
    super(scope, id);
    const { version } = props;
    if (!Number.isInteger(version) || version < 1)
      throw new Error(`\`version\` must be a whole number from 1, got: ${version}`);
    this.previous = this.createVersion(version - 1, props);
    this.current = this.createVersion(version, props);
    this.next = this.createVersion(version + 1, props);
  }

  private createVersion(version: number, { removalPolicy, encryptionKey }: LiveKitKeyProps): ApiKeyVersion {
    const name = `realtime-${version}`;
    const secret = new secretsmanager.Secret(this, `Version${version}`, {
      description: `LiveKit’s API key and secret, version ${version}`,
      removalPolicy,
      encryptionKey,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ apiKey: name }),
        generateStringKey: 'apiSecret',
        passwordLength: 64,
        // LiveKit reads it as YAML.
        excludePunctuation: true,
      },
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason:
        'Nodes, service and agent read it at start and must agree: it is rotated by a deployment of all three.',
    });
    return {
      name,
      apiKey: ecs.Secret.fromSecretsManager(secret, 'apiKey'),
      apiSecret: ecs.Secret.fromSecretsManager(secret, 'apiSecret'),
    };
  }
}
