import { Fn, SecretValue } from 'aws-cdk-lib';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';

export interface RedisSettingsProps {
  readonly host: string;
  readonly port: number | string;
  readonly tls: boolean;
  /** JSON `username` and `password`; undefined where Redis asks for none. */
  readonly credentials: secretsmanager.ISecret | undefined;
  readonly description: string;
}

/**
 * Both shapes of the Redis setting, whole, in a secret. CloudFormation puts the password in by reference when the
 * secret is made, so the id has to change with the password: references are read again by a new resource only.
 */
export function redisSettings(scope: Construct, id: string, props: RedisSettingsProps) {
  const { host, port, tls, credentials } = props;
  const user = credentials?.secretValueFromJson('username').unsafeUnwrap();
  const password = credentials?.secretValueFromJson('password').unsafeUnwrap();
  const login = credentials ? Fn.join('', [`${user}`, ':', `${password}`, '@']) : '';
  const options = [
    ...(credentials ? [`,user=${user}`, `,password=${password}`] : []),
    `,ssl=${tls ? 'true' : 'false'}`,
    // StackExchange.Redis then keeps trying while Redis is away at the start.
    ',abortConnect=false',
  ];
  const text = Fn.join('', [
    `{"url":"${tls ? 'rediss' : 'redis'}://`,
    login,
    `${host}:${port}`,
    '","connectionString":"',
    `${host}:${port}`,
    ...options,
    '"}',
  ]);
  return new secretsmanager.Secret(scope, id, {
    description: props.description,
    // References, not values: what stands in the template is where the password is.
    secretStringValue: SecretValue.unsafePlainText(text),
  });
}
