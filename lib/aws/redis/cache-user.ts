import { Validations } from 'aws-cdk-lib';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface CacheUserProps {
  /** Name with which the service logs in. */
  readonly userName: string;

  /** Id of the user, unique in account and region: 1–40 letters, digits and hyphens. */
  readonly userId: string;

  /** Permissions, as rules of `ACL SETUSER`. */
  readonly accessString: string;

  /** Version of the password, from 1. */
  readonly passwordVersion: number;

  /**
   * The customer's KMS key with which the passwords are encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

/**
 * A user of the cache with two valid passwords, in slots A and B: the current version, which services read, and the
 * previous version, which tasks that are still running use. A new version creates a new secret in the slot of the
 * older one and deploys the services with it. A rotation is therefore a deployment and closes no connection.
 */
export class CacheUser extends Construct {
  readonly resource: elasticache.CfnUser;

  /** Secret with JSON `username` and `password` of the current version. */
  readonly secret: secretsmanager.ISecret;

  /** The secrets of both versions that are valid. */
  readonly secrets: readonly secretsmanager.ISecret[];

  constructor(scope: Construct, id: string, props: CacheUserProps) {
    super(scope, id);
    const { userName, passwordVersion, encryptionKey } = props;
    if (!Number.isInteger(passwordVersion) || passwordVersion < 1)
      throw new Error(`\`passwordVersion\` must be a whole number from 1, got: ${passwordVersion}`);
    const previous = this.createPassword(userName, passwordVersion - 1, encryptionKey);
    const current = this.createPassword(userName, passwordVersion, encryptionKey);
    this.secret = current;
    this.secrets = [current, previous];
    this.resource = new elasticache.CfnUser(this, 'User', {
      engine: 'valkey',
      userId: props.userId,
      userName,
      accessString: props.accessString,
      // The order is by slot, so that a new version changes one of the two entries.
      passwords: [current, previous]
        .sort((a, b) => a.node.id.localeCompare(b.node.id))
        .map((secret) => secret.secretValueFromJson('password').unsafeUnwrap()),
    });
  }

  /**
   * The version is part of the id: each version is a new secret, so CloudFormation resolves the reference again.
   * `verify` reads the version from the logical id.
   */
  private createPassword(userName: string, version: number, encryptionKey: kms.IKey | undefined) {
    const secret = new secretsmanager.Secret(this, `Password${version % 2 === 1 ? 'A' : 'B'}${version}`, {
      description: `Password of ${userName} in the cache, version ${version}`,
      encryptionKey,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: userName }),
        generateStringKey: 'password',
        passwordLength: 64,
        // ElastiCache refuses , " / and @, and a URL has more characters that would need escaping.
        excludePunctuation: true,
      },
    });
    acknowledgeRotation(secret);
    return secret;
  }
}

/** The rotation is a deployment. Secrets Manager's own would change a password that running services have read. */
export function acknowledgeRotation(secret: secretsmanager.Secret): void {
  Validations.of(secret).acknowledge({
    id: 'AwsSolutions::AwsSolutions-SMG4',
    reason:
      'Rotated by a deployment: a new secret in the idle slot, then the services, so that no connection is refused.',
  });
}
