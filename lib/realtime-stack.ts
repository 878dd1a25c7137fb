import { CfnOutput, Duration, Fn, Stack, Tags } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { Construct } from 'constructs';
import { defaultPort, paths } from '../app/names.ts';
import { App } from './aws/app.ts';
import { builtImage, existingImage } from './aws/app-image.ts';
import { Backplane } from './aws/backplane.ts';
import { Cluster } from './aws/cluster.ts';
import { Edge } from './aws/edge.ts';
import { Network } from './aws/network.ts';
import { findAppDirectory } from './config/app-directory.ts';
import type { RealtimeConfig } from './config/config.ts';

/** The deployment: a Socket.IO service that runs as many instances and behaves as one. */
export class RealtimeStack extends Stack {
  constructor(scope: Construct, id: string, config: RealtimeConfig) {
    super(scope, id, {
      stackName: config.stackName,
      env: { region: config.region },
      description: 'Realtime Stack: a Socket.IO service that runs as many instances and behaves as one',
    });
    const idleTimeout = Duration.seconds(config.idleTimeoutSeconds);

    const { vpc } = new Network(this, 'Network', {
      availabilityZones: zonesOf(config),
      natGateways: config.natGateways,
    });
    const { cluster } = new Cluster(this, 'Cluster', { vpc, containerInsights: config.containerInsights });
    const backplane = this.createBackplane(config, vpc);
    const edge = new Edge(this, 'Edge', {
      vpc,
      idleTimeout,
      certificate: this.certificateOf(config),
      domainName: config.domainName,
    });
    const app = new App(this, 'App', {
      cluster,
      image: this.imageOf(config),
      cpuArchitecture: config.cpuArchitecture,
      cpu: config.cpu,
      memoryMiB: config.memoryMiB,
      desiredCount: config.desiredCount,
      deployment: config.stackName,
      idleTimeout,
      redisUrlParameter: backplane?.redisUrlParameter,
    });

    if (backplane) {
      backplane.grantConnect(app);
      // A task reads the address and reaches the cache as soon as it starts.
      app.service.node.addDependency(backplane);
    }
    edge.route(app, { port: defaultPort, readyPath: paths.ready });

    Tags.of(this).add('realtime-stack:deployment', config.stackName);
    this.output('Url', edge.url, 'Where clients connect');
    const verify = `npm run verify -- --url ${edge.url} --instances ${config.desiredCount}`;
    this.output('VerifyCommand', verify, 'Proves that the instances behave as one');
    if (config.domainName)
      this.output(
        'LoadBalancerName',
        edge.loadBalancer.loadBalancerDnsName,
        `Target of the DNS record of ${config.domainName}`,
      );
  }

  private createBackplane(config: RealtimeConfig, vpc: Network['vpc']) {
    if (config.backplane === 'none') return undefined;
    return new Backplane(this, 'Backplane', {
      vpc,
      nodeType: config.cacheNodeType,
      engineVersion: config.cacheEngineVersion,
      replicas: config.cacheReplicas,
    });
  }

  private imageOf({ imageUri, cpuArchitecture }: RealtimeConfig) {
    return imageUri ? existingImage(this, imageUri) : builtImage(findAppDirectory(), cpuArchitecture);
  }

  private certificateOf({ certificateArn }: RealtimeConfig) {
    return certificateArn ? Certificate.fromCertificateArn(this, 'Certificate', certificateArn) : undefined;
  }

  private output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description });
  }
}

/** `maxAzs` would give two zones where the account is not known; selecting them gives as many as are asked for. */
function zonesOf({ availabilityZones, availabilityZoneCount }: RealtimeConfig): string[] {
  return (
    availabilityZones ??
    Array.from({ length: availabilityZoneCount }, (_, index) => Fn.select(index, Fn.getAzs()))
  );
}
