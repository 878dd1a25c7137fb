import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, type IDependable } from 'constructs';
import { agentName } from '../../../app/names.ts';
import { defaultAgentPort, agentEnvironment as names } from '../../../livekit/agent/names.ts';
import { sharedFolder } from '../../../livekit/config/container.ts';
import { liveKitPorts } from '../../../livekit/config/ports.ts';
import { type SidecarMetric, sidecarEnvironment, watchedService } from '../../../livekit/sidecar/names.ts';
import { physicalName } from '../account/physical-name.ts';
import { type CpuArchitecture, containerImage, runtimePlatform } from '../ecs/image.ts';
import {
  acknowledgeTaskDefinition,
  decryptAtStart,
  logBytes,
  maxFamilyLength,
  type ScalingTargets,
  scaleService,
  scales,
  serviceOptions,
  type TaskCount,
  unmetDemand,
} from '../ecs/service-options.ts';
import { addTaskProtection, sidecarMetric } from '../ecs/task-protection.ts';
import { type NetworkPlacement, routesOf } from '../network/network-placement.ts';

export interface AgentProps extends TaskCount {
  readonly cluster: ecs.ICluster;
  readonly network: NetworkPlacement;
  readonly cpuArchitecture: CpuArchitecture;

  /**
   * An image of this repository's agent, or of any other worker of LiveKit Agents.
   * @default - built from livekit/agent/Dockerfile
   */
  readonly imageUri?: string;

  /**
   * An image of the sidecar.
   * @default - built from livekit/sidecar/Dockerfile
   */
  readonly sidecarImageUri?: string;

  /**
   * Shell command by which ECS checks a task.
   * @default - asks the worker by Node, which this repository's image has
   */
  readonly healthCommand?: string;

  /**
   * The container can't write its file system.
   * @default true
   */
  readonly readOnlyRoot?: boolean;

  /**
   * More environment variables, none of them secret.
   * @default - none
   */
  readonly environment?: Readonly<Record<string, string>>;

  /**
   * More environment variables that are secrets, each from a secret or from a field of its JSON.
   * @default - none
   */
  readonly secrets?: readonly { readonly variable: string; readonly arn: string; readonly field?: string }[];

  /**
   * ARN of the customer's KMS key that encrypts the secrets that exist already: those of `secrets`, and the voice API's.
   * @default - AWS's own key
   */
  readonly secretsKmsKeyArn?: string;

  /** Average number of calls of a task at which the agent scales. */
  readonly callsPerTask: number;

  /**
   * The agent listens, thinks and speaks with models.
   * @default - it repeats what it hears, and needs no key
   */
  readonly voice?: VoiceModels;

  /** LiveKit's address, its API key and secret, and what the agent connects to at that address. */
  readonly liveKit: {
    /** `ws://…` inside the VPC, `wss://…` outside. */
    readonly url: string;
    readonly apiKey: ecs.Secret;
    readonly apiSecret: ecs.Secret;

    /** @default - an address outside the VPC, on port 443 */
    readonly balancer?: { readonly connections: ec2.Connections; readonly port: number };
  };

  /** LiveKit's service. The agent is not healthy before LiveKit accepts its registration. */
  readonly startAfter: IDependable;

  /** Value of the metric dimension `Deployment`. */
  readonly deployment: string;

  /** How long a superseded task may keep its calls. */
  readonly maxCallDrain: Duration;

  readonly logRetention: logs.RetentionDays;

  /** What happens to the log when the stack is deleted. */
  readonly removalPolicy: RemovalPolicy;

  /**
   * The customer's KMS key with which the log and the stack’s secrets are encrypted.
   * @default - AWS’s own key
   */
  readonly encryptionKey?: kms.IKey;
}

/**
 * The models of an API that speaks OpenAI's protocol. The agent has a default for each value that is left out
 * (livekit/agent/agent-variables.ts).
 */
export interface VoiceModels {
  /** ARN of a secret that consists of the API's key. */
  readonly apiSecretArn: string;

  /** URL of the API. @default - OpenAI's */
  readonly apiUrl?: string;

  /** @default - the agent's default */
  readonly speechToTextModel?: string;

  /** @default - the agent's default */
  readonly languageModel?: string;

  /** @default - the agent's default */
  readonly textToSpeechModel?: string;

  /** The voice with which it speaks. @default - the agent's default */
  readonly voice?: string;

  /** What the language model is told about its task. @default - the agent's default */
  readonly instructions?: string;
}

/** Resources of a task: CPU in units of 1/1024 vCPU, and memory. Each call is a process. */
const size = { cpu: 1024, memoryLimitMiB: 2048 } as const;

/** Average CPU of all tasks, in percent. At 70 a worker accepts no new call. */
const cpuTarget = 50;

/** In seconds: Fargate's longest stop timeout, and the time after which the agent has ended its calls. */
const stop = { timeout: 120, drain: 110 } as const;

const healthCheck = `fetch('http://127.0.0.1:${defaultAgentPort}/').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))`;

/** The voice agent's workers on Fargate. They connect to LiveKit and wait for calls; nothing connects to them. */
export class Agent extends Construct implements TaskCount {
  readonly service: ecs.FargateService;

  /** Tasks at least. */
  readonly minTasks: number;

  /** Tasks at most. */
  readonly maxTasks: number;

  private readonly props: AgentProps;
  private readonly logGroup: logs.LogGroup;

  constructor(scope: Construct, id: string, props: AgentProps) {
    super(scope, id);
    if (props.maxTasks < props.minTasks)
      throw new Error(
        `\`maxTasks\` must be \`minTasks\` (${props.minTasks}) or more, got: ${props.maxTasks}`,
      );
    this.props = props;
    this.minTasks = props.minTasks;
    this.maxTasks = props.maxTasks;
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: props.removalPolicy,
      encryptionKey: props.encryptionKey,
    });
    this.service = this.createService(this.defineTask());
    this.service.node.addDependency(props.startAfter);
    const { balancer } = props.liveKit;
    if (balancer)
      this.service.connections.allowTo(balancer, ec2.Port.tcp(balancer.port), 'agent to LiveKit signalling');
    if (scales(props)) scaleService(this.service, props, this.scalingTargets);
  }

  /** CPU of the tasks, in percent. */
  metricCpu(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.service.metricCpuUtilization(props);
  }

  /** Bytes of the log, which CloudWatch charges for. */
  metricLogBytes(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return logBytes(this.logGroup, props);
  }

  /** 1 while there are all tasks that there may be and more are needed. Undefined if they do not scale. */
  metricUnmetDemand(): cloudwatch.IMetric | undefined {
    return unmetDemand(this.service, this, this.scalingTargets, (options) =>
      this.metric('RunningTasks', options),
    );
  }

  /** A metric that the tasks' sidecars write into the log. @param name as in livekit/sidecar/names.ts */
  metric(name: SidecarMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return sidecarMetric({ deployment: this.props.deployment, service: watchedService.agent }, name, props);
  }

  private get scalingTargets(): ScalingTargets {
    return {
      cpuPercent: cpuTarget,
      load: {
        id: 'Calls',
        // Each task reports once a minute how many calls it has, so this is the average over the tasks.
        metric: this.metric('Jobs', { statistic: 'Average', period: Duration.minutes(1) }),
        perTask: this.props.callsPerTask,
      },
    };
  }

  private defineTask(): ecs.FargateTaskDefinition {
    const { props } = this;
    const task = new ecs.FargateTaskDefinition(this, 'Task', {
      family: physicalName(this, maxFamilyLength),
      ...size,
      runtimePlatform: runtimePlatform(props.cpuArchitecture),
    });
    const agent = task.addContainer('agent', {
      image: containerImage(this, 'agent', props.cpuArchitecture, props.imageUri),
      user: '1000',
      readonlyRootFilesystem: props.readOnlyRoot ?? true,
      environment: {
        ...props.environment,
        [names.url]: props.liveKit.url,
        [names.agentName]: agentName,
        ...modeOf(props.voice),
        [names.port]: String(defaultAgentPort),
        [names.drainSeconds]: String(stop.drain),
        [names.drainFile]: `${sharedFolder.path}/${sharedFolder.drainFile}`,
      },
      secrets: {
        [names.apiKey]: props.liveKit.apiKey,
        [names.apiSecret]: props.liveKit.apiSecret,
        ...(props.voice && { [names.voiceApiKey]: this.importApiKey(props.voice) }),
        ...this.importSecrets(),
      },
      healthCheck: {
        command: props.healthCommand
          ? ['CMD-SHELL', props.healthCommand]
          : ['CMD', 'node', '-e', healthCheck],
        // The response is 503 while LiveKit is unavailable, and ending the task would end its calls: allow five minutes.
        interval: Duration.seconds(30),
        timeout: Duration.seconds(5),
        retries: 10,
        startPeriod: Duration.seconds(60),
      },
      stopTimeout: Duration.seconds(stop.timeout),
      logging: this.logging('agent'),
    });
    addTaskProtection(task, agent, {
      cluster: props.cluster,
      cpuArchitecture: props.cpuArchitecture,
      sidecarImageUri: props.sidecarImageUri,
      logging: this.logging('sidecar'),
      deployment: props.deployment,
      maxCallDrain: props.maxCallDrain,
      environment: { [sidecarEnvironment.agentWorkerUrl]: `http://127.0.0.1:${defaultAgentPort}/worker` },
    });
    if (props.voice || props.secrets?.length) decryptAtStart(task, props.secretsKmsKeyArn);
    decryptAtStart(task, props.encryptionKey?.keyArn);
    acknowledgeTaskDefinition(task);
    return task;
  }

  private importSecrets(): Record<string, ecs.Secret> {
    const { secrets = [] } = this.props;
    return Object.fromEntries(
      secrets.map(({ variable, arn, field }) => {
        const secret = secretsmanager.Secret.fromSecretCompleteArn(this, `Secret${variable}`, arn);
        return [variable, ecs.Secret.fromSecretsManager(secret, field)];
      }),
    );
  }

  private importApiKey({ apiSecretArn }: VoiceModels): ecs.Secret {
    const secret = secretsmanager.Secret.fromSecretCompleteArn(this, 'VoiceApiKey', apiSecretArn);
    return ecs.Secret.fromSecretsManager(secret);
  }

  private createService(taskDefinition: ecs.FargateTaskDefinition): ecs.FargateService {
    const { cluster, network } = this.props;
    const service = new ecs.FargateService(this, 'Service', {
      ...serviceOptions(this.props),
      cluster,
      taskDefinition,
      vpcSubnets: network.participants.subnets,
      securityGroups: [this.createSecurityGroup()],
      assignPublicIp: network.participants.havePublicAddresses,
    });
    service.node.addDependency(routesOf(network, network.participants.subnets));
    return service;
  }

  /** Media goes to the nodes' public addresses, as a browser's does, so no security group can be named. */
  private createSecurityGroup(): ec2.SecurityGroup {
    const group = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc: this.props.network.vpc,
      description: 'Tasks of the voice agent: nobody in, out to AWS and LiveKit',
      allowAllOutbound: false,
    });
    const [first, last] = liveKitPorts.mediaUdp;
    const anywhere = ec2.Peer.anyIpv4();
    group.addEgressRule(anywhere, ec2.Port.tcp(443), 'AWS APIs, models, and LiveKit from outside the VPC');
    group.addEgressRule(anywhere, ec2.Port.udpRange(first, last), 'LiveKit media over UDP');
    group.addEgressRule(anywhere, ec2.Port.tcp(liveKitPorts.mediaTcp), 'LiveKit media over TCP');
    return group;
  }

  private logging(streamPrefix: string): ecs.LogDriver {
    return ecs.LogDrivers.awsLogs({ streamPrefix, logGroup: this.logGroup });
  }
}

function modeOf(voice: VoiceModels | undefined): Record<string, string> {
  if (!voice) return { [names.mode]: 'echo' };
  const variables = {
    [names.mode]: 'voice',
    [names.voiceApiUrl]: voice.apiUrl,
    [names.speechToTextModel]: voice.speechToTextModel,
    [names.languageModel]: voice.languageModel,
    [names.textToSpeechModel]: voice.textToSpeechModel,
    [names.voice]: voice.voice,
    [names.instructions]: voice.instructions,
  };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value ? [[name, value]] : [])),
  );
}
