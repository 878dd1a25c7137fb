import { Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { agentName } from '../../../app/names.ts';
import { agentEnvironment, defaultAgentPort } from '../../../livekit/agent/names.ts';
import { nodeFiles } from '../../../livekit/config/entrypoint.ts';
import { liveKitPorts } from '../../../livekit/config/ports.ts';
import { type SidecarMetric, sidecarEnvironment, watchedService } from '../../../livekit/sidecar/names.ts';
import { acknowledgeTask, addCallKeeper, keeperMetric, mountKeeperFolder } from '../calls/call-keeper.ts';
import type { LiveKitKey } from '../calls/livekit-key.ts';
import { type CpuArchitecture, runtimePlatform } from '../cluster/image.ts';
import type { Place } from '../network/place.ts';

export interface AgentProps {
  readonly cluster: ecs.ICluster;
  readonly place: Place;
  readonly image: ecs.ContainerImage;
  readonly sidecarImage: ecs.ContainerImage;
  readonly cpuArchitecture: CpuArchitecture;

  /** CPU of a task in units of 1/1024 vCPU; each call is a process. @default 1024 */
  readonly cpu?: number;

  /** Memory of a task in MiB. @default 2048 */
  readonly memoryMiB?: number;

  /** Tasks at least. */
  readonly minTasks: number;

  /** Tasks at most; above `minTasks` they scale on calls and CPU. */
  readonly maxTasks: number;

  /** Calls that a task is to have on average, where the tasks scale. */
  readonly callsPerTask: number;

  /**
   * It listens, thinks and speaks by models.
   * @default - it says what it hears, and needs no key
   */
  readonly voice?: Voice;

  /** Where LiveKit is, `wss://…`. */
  readonly liveKitUrl: string;

  readonly apiKey: LiveKitKey;

  /** Value of the dimension `Deployment`. */
  readonly deployment: string;

  /** Time for which a superseded task may keep its calls. */
  readonly maxCallDrain: Duration;

  readonly logRetention: logs.RetentionDays;

  /** What becomes of the log when the stack goes. */
  readonly removalPolicy: RemovalPolicy;
}

/** The models of an API that speaks OpenAI's protocol; what is not said is as in livekit/agent/environment.ts. */
export interface Voice {
  /** The API's key, as a whole. */
  readonly apiKey: secretsmanager.ISecret;

  /**
   * Where the API is, over HTTPS.
   * @default - at OpenAI
   */
  readonly apiUrl?: string;

  /** @default - as the agent has it */
  readonly speechToTextModel?: string;

  /** @default - as the agent has it */
  readonly languageModel?: string;

  /** @default - as the agent has it */
  readonly textToSpeechModel?: string;

  /** @default - as the agent has it */
  readonly voice?: string;

  /** @default - as the agent has it */
  readonly instructions?: string;
}

/** In percent. At 70 a worker takes no new call. */
const cpuTarget = 50;

/** All that Fargate gives, in seconds; the agent is done before. */
const stop = { timeout: 120, drain: 110 } as const;

const health = `fetch('http://127.0.0.1:${defaultAgentPort}/').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))`;

/** The voice agent's workers on Fargate. They ask LiveKit for calls; nobody connects to them. */
export class Agent extends Construct {
  readonly service: ecs.FargateService;
  readonly logGroup: logs.LogGroup;

  /** Tasks at least. */
  readonly minTasks: number;

  private readonly props: AgentProps;

  constructor(scope: Construct, id: string, props: AgentProps) {
    super(scope, id);
    if (props.maxTasks < props.minTasks)
      throw new Error(
        `\`maxTasks\` must be \`minTasks\` (${props.minTasks}) or more, got: ${props.maxTasks}`,
      );
    this.props = props;
    this.minTasks = props.minTasks;
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      retention: props.logRetention,
      removalPolicy: props.removalPolicy,
    });
    this.service = this.createService(this.defineTask());
    if (props.maxTasks > props.minTasks) this.scale();
  }

  /** A metric that the tasks' sidecars write into the log. @param name as in livekit/sidecar/names.ts */
  metric(name: SidecarMetric, props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return keeperMetric({ ...this.props, service: watchedService.agent }, name, props);
  }

  /** Out at once, in slowly; the higher of the two wishes counts. */
  private scale(): void {
    const { minTasks, maxTasks, callsPerTask } = this.props;
    const scaling = this.service.autoScaleTaskCount({ minCapacity: minTasks, maxCapacity: maxTasks });
    const pace = { scaleOutCooldown: Duration.minutes(1), scaleInCooldown: Duration.minutes(15) };
    scaling.scaleToTrackCustomMetric('Calls', {
      // Each task says once a minute how many it has: the average over the tasks.
      metric: this.metric('Jobs', { statistic: 'Average', period: Duration.minutes(1) }),
      targetValue: callsPerTask,
      ...pace,
    });
    scaling.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: cpuTarget, ...pace });
  }

  private defineTask(): ecs.FargateTaskDefinition {
    const { props } = this;
    const task = new ecs.FargateTaskDefinition(this, 'Task', {
      cpu: props.cpu ?? 1024,
      memoryLimitMiB: props.memoryMiB ?? 2048,
      runtimePlatform: runtimePlatform(props.cpuArchitecture),
    });
    const agent = task.addContainer('agent', {
      image: props.image,
      user: '1000',
      environment: {
        [agentEnvironment.url]: props.liveKitUrl,
        [agentEnvironment.agentName]: agentName,
        ...modeOf(props.voice),
        [agentEnvironment.port]: String(defaultAgentPort),
        [agentEnvironment.drainSeconds]: String(stop.drain),
        [agentEnvironment.drainFile]: `${nodeFiles.folder}/${nodeFiles.drain}`,
      },
      secrets: {
        ...props.apiKey.variables(agentEnvironment),
        ...(props.voice && {
          [agentEnvironment.voiceApiKey]: ecs.Secret.fromSecretsManager(props.voice.apiKey),
        }),
      },
      healthCheck: {
        command: ['CMD', 'node', '-e', health],
        // It is 503 while LiveKit is away, and a task that ends takes its calls along: five minutes of patience.
        interval: Duration.seconds(30),
        timeout: Duration.seconds(5),
        retries: 10,
        startPeriod: Duration.seconds(60),
      },
      stopTimeout: Duration.seconds(stop.timeout),
      logging: this.logging('agent'),
    });
    const keeper = addCallKeeper(task, {
      ...props,
      environment: { [sidecarEnvironment.agentWorkerUrl]: `http://127.0.0.1:${defaultAgentPort}/worker` },
      image: props.sidecarImage,
      logging: this.logging('sidecar'),
    });
    mountKeeperFolder(agent, keeper);
    acknowledgeTask(task);
    return task;
  }

  private createService(taskDefinition: ecs.FargateTaskDefinition): ecs.FargateService {
    const { cluster, place, minTasks, maxTasks } = this.props;
    return new ecs.FargateService(this, 'Service', {
      cluster,
      taskDefinition,
      // Where it scales, a count here would shrink the fleet at each deployment.
      ...(maxTasks > minTasks ? {} : { desiredCount: minTasks }),
      vpcSubnets: place.taskSubnets,
      securityGroups: [this.createSecurityGroup()],
      assignPublicIp: place.tasksHavePublicAddresses,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { enable: true, rollback: true },
      // Rebalancing moves healthy tasks, and with each its calls.
      availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.DISABLED,
      enableECSManagedTags: true,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    });
  }

  /** Media goes to the nodes' public addresses, as a browser's does: no security group can be named for those. */
  private createSecurityGroup(): ec2.SecurityGroup {
    const group = new ec2.SecurityGroup(this, 'SecurityGroup', {
      vpc: this.props.place.vpc,
      description: 'Tasks of the voice agent: nobody in, out to AWS and LiveKit',
      allowAllOutbound: false,
    });
    const [first, last] = liveKitPorts.mediaUdp;
    const anywhere = ec2.Peer.anyIpv4();
    group.addEgressRule(anywhere, ec2.Port.tcp(443), 'AWS APIs and LiveKit signalling');
    group.addEgressRule(anywhere, ec2.Port.udpRange(first, last), 'LiveKit media over UDP');
    group.addEgressRule(anywhere, ec2.Port.tcp(liveKitPorts.mediaTcp), 'LiveKit media over TCP');
    return group;
  }

  private logging(streamPrefix: string): ecs.LogDriver {
    return ecs.LogDrivers.awsLogs({ streamPrefix, logGroup: this.logGroup });
  }
}

function modeOf(voice: Voice | undefined): Record<string, string> {
  if (!voice) return { [agentEnvironment.mode]: 'echo' };
  const told = {
    [agentEnvironment.mode]: 'voice',
    [agentEnvironment.voiceApiUrl]: voice.apiUrl,
    [agentEnvironment.speechToTextModel]: voice.speechToTextModel,
    [agentEnvironment.languageModel]: voice.languageModel,
    [agentEnvironment.textToSpeechModel]: voice.textToSpeechModel,
    [agentEnvironment.voice]: voice.voice,
    [agentEnvironment.instructions]: voice.instructions,
  };
  return Object.fromEntries(Object.entries(told).filter((entry): entry is [string, string] => !!entry[1]));
}
