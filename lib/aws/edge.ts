import { Annotations, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elbv2 from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';

export interface EdgeProps {
  readonly vpc: ec2.IVpc;

  /** Time after which a silent connection is closed; above Socket.IO's heartbeat. */
  readonly idleTimeout: Duration;

  /**
   * Certificate of `domainName`.
   * @default - HTTP only
   */
  readonly certificate?: acm.ICertificate;

  /**
   * Name that clients use.
   * @default - the load balancer's own name
   */
  readonly domainName?: string;

  /**
   * How long access logs are kept.
   * @default Duration.days(30)
   */
  readonly accessLogRetention?: Duration;
}

export interface RouteProps {
  /** Port that the target listens on. */
  readonly port: number;

  /** Path that answers 200 while the target takes new sockets. */
  readonly readyPath: string;

  /**
   * Time that a target keeps its open connections after it was taken out: the service's staggered drain and 30 s.
   * @default Duration.seconds(60)
   */
  readonly deregistrationDelay?: Duration;
}

/** The public load balancer: the address of the deployment, sticky for the sake of HTTP long-polling. */
export class Edge extends Construct implements ec2.IConnectable {
  readonly connections: ec2.Connections;
  readonly loadBalancer: elbv2.ApplicationLoadBalancer;

  /** Where clients connect. */
  readonly url: string;

  private readonly vpc: ec2.IVpc;
  private readonly listener: elbv2.ApplicationListener;

  constructor(scope: Construct, id: string, props: EdgeProps) {
    super(scope, id);
    this.vpc = props.vpc;
    // The ids say `Public`: a load balancer of another scheme is another resource, never an update of this one.
    this.loadBalancer = new elbv2.ApplicationLoadBalancer(this, 'PublicLoadBalancer', {
      vpc: props.vpc,
      internetFacing: true,
      vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
      idleTimeout: props.idleTimeout,
      dropInvalidHeaderFields: true,
    });
    this.loadBalancer.logAccessLogs(this.createLogBucket(props.accessLogRetention ?? Duration.days(30)));
    this.connections = this.loadBalancer.connections;
    this.listener = props.certificate ? this.listenHttps(props.certificate) : this.listenHttp();
    const scheme = props.certificate ? 'https' : 'http';
    this.url = `${scheme}://${props.domainName ?? this.loadBalancer.loadBalancerDnsName}`;
    Validations.of(this.loadBalancer).acknowledge({
      id: 'AwsSolutions::AwsSolutions-EC23',
      reason: 'The load balancer is the public address of the deployment; what is behind it admits it alone.',
    });
  }

  /** Sends what arrives to a service. */
  route(target: elbv2.IApplicationLoadBalancerTarget, props: RouteProps): elbv2.ApplicationTargetGroup {
    const group = new elbv2.ApplicationTargetGroup(this, 'PublicTargets', {
      vpc: this.vpc,
      targets: [target],
      targetType: elbv2.TargetType.IP,
      port: props.port,
      protocol: elbv2.ApplicationProtocol.HTTP,
      protocolVersion: elbv2.ApplicationProtocolVersion.HTTP1,
      // New sockets go where the fewest requests are open: a fresh task fills up, old ones don't pile up.
      loadBalancingAlgorithmType: elbv2.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
      // Only polling needs it: all requests of one of its sessions must reach the same task.
      stickinessCookieDuration: Duration.days(1),
      deregistrationDelay: props.deregistrationDelay ?? Duration.seconds(60),
      healthCheck: {
        path: props.readyPath,
        healthyHttpCodes: '200',
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 3,
      },
    });
    this.listener.addTargetGroups('Default', { targetGroups: [group] });
    return group;
  }

  private listenHttps(certificate: acm.ICertificate) {
    this.listenOn80(elbv2.ListenerAction.redirect({ protocol: 'HTTPS', port: '443', permanent: true }));
    return this.loadBalancer.addListener('PublicHttps', {
      port: 443,
      protocol: elbv2.ApplicationProtocol.HTTPS,
      certificates: [certificate],
      sslPolicy: elbv2.SslPolicy.TLS13_12_RES_PQ,
      open: true,
    });
  }

  private listenHttp() {
    Annotations.of(this).addWarningV2(
      'realtime-stack:http-only',
      'The load balancer serves plain HTTP: what clients send can be read on the way. Set `certificateArn` and `domainName` for HTTPS.',
    );
    return this.listenOn80();
  }

  /** One listener whether it serves or redirects: another id would ask for port 80 while the old one holds it. */
  private listenOn80(defaultAction?: elbv2.ListenerAction) {
    return this.loadBalancer.addListener('PublicHttp', {
      port: 80,
      protocol: elbv2.ApplicationProtocol.HTTP,
      open: true,
      defaultAction,
    });
  }

  /** Kept when the stack goes, as logs are for those who ask later; it empties itself. */
  private createLogBucket(retention: Duration) {
    return new s3.Bucket(this, 'AccessLogs', {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      serverAccessLogsPrefix: 'bucket/',
      lifecycleRules: [{ expiration: retention, abortIncompleteMultipartUploadAfter: Duration.days(1) }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }
}
