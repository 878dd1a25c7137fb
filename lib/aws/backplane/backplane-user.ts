import { Validations } from 'aws-cdk-lib';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

export interface BackplaneUserProps {
  /** Name that the service logs in with. */
  readonly userName: string;

  /** Unique in account and region: 1–40 letters, digits and hyphens. */
  readonly userId: string;

  /** Rules as in `ACL SETUSER`. */
  readonly accessString: string;

  /** Counts the rotations, from 1. */
  readonly passwordRound: number;
}

/**
 * A user of the cache with two passwords, in slots A and B: that of this round, which services take, and that of the
 * round before, which tasks that still run hold. The next round makes a new secret in the idle slot and rolls the
 * services over to it, so a rotation is a deployment and costs no connection.
 */
export class BackplaneUser extends Construct {
  readonly resource: elasticache.CfnUser;

  /** JSON `username` and `password` of this round. */
  readonly secret: secretsmanager.ISecret;

  constructor(scope: Construct, id: string, props: BackplaneUserProps) {
    super(scope, id);
    if (!Number.isInteger(props.passwordRound) || props.passwordRound < 1)
      throw new Error(`\`passwordRound\` must be a whole number from 1, got: ${props.passwordRound}`);
    const before = this.password(props.userName, props.passwordRound - 1);
    const current = this.password(props.userName, props.passwordRound);
    this.secret = current;
    this.resource = new elasticache.CfnUser(this, 'User', {
      engine: 'valkey',
      userId: props.userId,
      userName: props.userName,
      accessString: props.accessString,
      // By slot and not by age, so that a round changes one of the two.
      passwords: [current, before]
        .sort((a, b) => a.node.id.localeCompare(b.node.id))
        .map((secret) => secret.secretValueFromJson('password').unsafeUnwrap()),
    });
  }

  /** The round is in the id: a new round is a new secret, and CloudFormation reads its reference anew. */
  private password(userName: string, round: number) {
    const secret = new secretsmanager.Secret(this, `Password${round % 2 === 1 ? 'A' : 'B'}${round}`, {
      description: `Password of ${userName} in the cache, round ${round}`,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: userName }),
        generateStringKey: 'password',
        passwordLength: 64,
        // ElastiCache takes no , " / @, and URLs no more.
        excludePunctuation: true,
      },
    });
    acknowledgeRotation(secret);
    return secret;
  }
}

/** Rotation is by deployment; Secrets Manager's own would change a password under services that read it at start. */
export function acknowledgeRotation(secret: secretsmanager.Secret): void {
  Validations.of(secret).acknowledge({
    id: 'AwsSolutions::AwsSolutions-SMG4',
    reason:
      'Rotated by a deployment: a new secret in the idle slot, then the services, so that no connection is refused.',
  });
}
