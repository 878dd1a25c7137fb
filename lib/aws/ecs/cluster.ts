import { Validations } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';

export interface ClusterProps {
  readonly vpc: ec2.IVpc;

  /** Container Insights with enhanced observability. */
  readonly containerInsights: boolean;
}

/** The ECS cluster that all services share. */
export class Cluster extends Construct {
  readonly cluster: ecs.Cluster;

  constructor(scope: Construct, id: string, { vpc, containerInsights }: ClusterProps) {
    super(scope, id);
    this.cluster = new ecs.Cluster(this, 'Cluster', {
      vpc,
      containerInsightsV2: containerInsights
        ? ecs.ContainerInsights.ENHANCED
        : ecs.ContainerInsights.DISABLED,
    });
    if (!containerInsights)
      Validations.of(this.cluster).acknowledge({
        id: 'AwsSolutions::AwsSolutions-ECS4',
        reason:
          'Container Insights costs about $0.07 a metric and month; the knob `containerInsights` turns it on.',
      });
  }
}
