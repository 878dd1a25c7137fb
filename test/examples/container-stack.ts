import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type { Construct } from 'constructs';
import { renderAcl } from '../../app/server/redis/acl.ts';
import { RealtimeService } from '../../lib/aws/app/realtime-service.ts';
import { Backplane } from '../../lib/aws/backplane/backplane.ts';
import { pubSubAcl } from '../../lib/aws/backplane/pub-sub-acl.ts';
import { Cluster } from '../../lib/aws/cluster/cluster.ts';
import { CloudFrontEdge } from '../../lib/aws/edge/cloudfront-edge.ts';
import { Network } from '../../lib/aws/network/network.ts';

export interface ContainerStackProps extends StackProps {
  /** Folder with a Dockerfile. */
  readonly source: string;

  /** Port that the container listens on. */
  readonly port: number;

  /** Path that answers 200 while it takes clients. */
  readonly readyPath: string;
}

/** A realtime backend of any kind, on two tasks behind CloudFront, joined by a cache. */
export class ContainerStack extends Stack {
  constructor(scope: Construct, id: string, props: ContainerStackProps) {
    super(scope, id, props);
    const kept = { removalPolicy: RemovalPolicy.DESTROY };
    const place = new Network(this, 'Network', {
      ...kept,
      availabilityZones: ['us-east-1a', 'us-east-1b'],
      natGateways: 0,
      flowLogRetention: 7,
    });
    const { cluster } = new Cluster(this, 'Cluster', { vpc: place.vpc });
    const backplane = new Backplane(this, 'Backplane', {
      place,
      nodeType: 'cache.t4g.micro',
      engineVersion: '8.2',
      replicas: 1,
    });
    const service = new RealtimeService(this, 'Service', {
      ...kept,
      cluster,
      place,
      image: ecs.ContainerImage.fromAsset(props.source),
      cpuArchitecture: 'x86_64',
      cpu: 256,
      memoryMiB: 512,
      port: props.port,
      minTasks: 2,
      redis: backplane.addUser('hub', renderAcl(pubSubAcl('hub:'))),
      logRetention: 7,
    });
    service.service.node.addDependency(backplane);
    const edge = new CloudFrontEdge(this, 'Edge', {
      ...kept,
      place,
      idleTimeout: Duration.minutes(2),
      drainTime: Duration.seconds(30),
      deletionProtection: false,
      prefixListId: 'pl-3b927c52',
    });
    edge.balancer.route(service, { name: 'Default', port: props.port, readyPath: props.readyPath });
  }
}
