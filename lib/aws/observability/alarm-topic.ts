import { Annotations, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as sns from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';

export interface AlarmTopicProps {
  /**
   * Address that gets the alarms, once it has confirmed the subscription.
   * @default - none; subscribe to the topic yourself
   */
  readonly email?: string;

  /**
   * The customer's KMS key with which the topic is encrypted.
   * @default - the topic is not encrypted: AWS’s own key for topics lets no alarm use it
   */
  readonly encryptionKey?: kms.IKey;
}

/** The topic to which alarms, and whatever else watches the deployment, report. */
export class AlarmTopic extends Construct {
  readonly topic: sns.Topic;

  constructor(scope: Construct, id: string, props: AlarmTopicProps) {
    super(scope, id);
    this.topic = new sns.Topic(this, 'Topic', { enforceSSL: true, masterKey: props.encryptionKey });
    // A topic policy replaces SNS's default policy, which would have allowed the account's alarms to publish.
    this.topic.addToResourcePolicy(
      new iam.PolicyStatement({
        actions: ['sns:Publish'],
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    if (props.email) this.topic.addSubscription(new EmailSubscription(props.email));
    else
      Annotations.of(this).addInfoV2(
        'realtime-stack:silent-alarms',
        'Nobody receives the alarms: set `alarmEmail`, or subscribe to the topic of the output AlarmTopic.',
      );
  }
}
