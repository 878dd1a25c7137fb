import { CfnOutput } from 'aws-cdk-lib';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { App } from '../aws/app/app.ts';
import type { Edge } from '../aws/edge/edge.ts';
import type { TurnBalancer } from '../aws/edge/turn-balancer.ts';
import type { RealtimeConfig } from '../config/config.ts';

export interface Told {
  readonly edge: Edge;
  readonly app: App;
  readonly turn: TurnBalancer | undefined;
  readonly topicArn: string;
}

/** What a deployment says when it is done: where it is, how to prove it, where the keys are. */
export function tell(scope: Construct, config: RealtimeConfig, { edge, app, turn, topicArn }: Told): void {
  const output = (id: string, value: string, description: string) =>
    new CfnOutput(scope, id, { value, description });
  output('Url', edge.url, 'Where clients connect');
  output('VerifyCommand', verifyCommand(config, app), 'Proves that the instances behave as one');
  output('AuthSecretId', app.authSecret.secretArn, 'Secret that signs the tokens of users');
  output('ServiceTokenId', app.serviceToken.secretArn, 'Secret that backends show to the HTTP API');
  output('AlarmTopic', topicArn, 'Topic that the alarms tell');
  if (turn) output('TurnName', turn.domainName, 'Where calls are relayed, over TLS on port 443');
  if (!config.domainName || config.hostedZoneId) return;
  output(
    'LoadBalancerName',
    edge.balancer.resource.loadBalancerDnsName,
    `Target of the DNS record of ${config.domainName}`,
  );
  if (!turn) return;
  output(
    'TurnLoadBalancerName',
    turn.resource.loadBalancerDnsName,
    `Target of the DNS record of ${turn.domainName}`,
  );
}

function verifyCommand({ region, stackName, minTasks }: RealtimeConfig, app: App): string {
  return [
    `AWS_REGION=${region}`,
    revealing(region, 'AUTH_SECRET', app.authSecret),
    revealing(region, 'SERVICE_TOKEN', app.serviceToken),
    `npm run verify -- --stack ${stackName} --instances ${minTasks}`,
  ].join(' ');
}

/** A shell's assignment that asks Secrets Manager when it is typed: the value stands in no output. */
function revealing(region: string, variable: string, { secretArn }: ISecret): string {
  return `${variable}="$(aws secretsmanager get-secret-value --region ${region} --secret-id ${secretArn} --query SecretString --output text)"`;
}
