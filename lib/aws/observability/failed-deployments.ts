import { Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';

export interface FailedDeploymentsProps {
  readonly topic: sns.ITopic;

  /** ARNs of the ECS services. */
  readonly serviceArns: readonly string[];
}

/** Reports to the topic that a deployment of a service failed, whether ECS rolls it back or not. */
export class FailedDeployments extends Construct {
  constructor(scope: Construct, id: string, props: FailedDeploymentsProps) {
    super(scope, id);
    const reason = events.EventField.fromPath('$.detail.reason');
    const service = events.EventField.fromPath('$.resources[0]');
    new events.Rule(this, 'Rule', {
      description: `Deployments of ${Stack.of(this).stackName} that failed`,
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Deployment State Change'],
        resources: [...props.serviceArns],
        detail: { eventName: ['SERVICE_DEPLOYMENT_FAILED'] },
      },
      targets: [
        new SnsTopic(props.topic, {
          role: this.createPublisher(props),
          message: events.RuleTargetInput.fromText(
            `A deployment of ${service} failed: ${reason} RUNBOOK.md: "A deployment failed".`,
          ),
        }),
      ],
    });
  }

  /** With a role of its own, the topic need not admit EventBridge, which any account's rules could use. */
  private createPublisher({ topic }: FailedDeploymentsProps): iam.Role {
    const role = new iam.Role(this, 'Publisher', {
      assumedBy: new iam.ServicePrincipal('events.amazonaws.com'),
    });
    topic.grantPublish(role);
    return role;
  }
}
