import { type App, Stage } from 'aws-cdk-lib';
import { type KnobInput, parseConfig } from '../../lib/config/config.ts';
import { RealtimeStack } from '../../lib/realtime-stack.ts';

export interface RealtimeStageProps {
  /** Id of the account that the stage is deployed to. */
  readonly account: string;

  /** Knobs of its stack, as cdk.json has them. */
  readonly knobs: KnobInput;
}

/**
 * The whole deployment as a stage of a pipeline: any tool that deploys a cloud assembly takes it, such as CDK Pipelines
 * or `npx cdk deploy 'prod/*'`. It is for new deployments. A stack that was deployed alone can't move into a stage: rules
 * between security groups would get new logical ids, and EC2 refuses a second rule of the same content.
 */
export class RealtimeStage extends Stage {
  constructor(app: App, id: string, { account, knobs }: RealtimeStageProps) {
    const config = parseConfig(knobs);
    super(app, id, { env: { account, region: config.region } });
    new RealtimeStack(this, 'RealtimeStack', config);
  }
}

/** dev and prod in accounts of their own, on images that were built once. */
export function addStages(app: App, images: KnobInput): readonly RealtimeStage[] {
  return [
    new RealtimeStage(app, 'dev', {
      account: '111111111111',
      knobs: { ...images, environment: 'dev', bootstrapQualifier: 'realtime' },
    }),
    new RealtimeStage(app, 'prod', {
      account: '222222222222',
      knobs: { ...images, environment: 'prod', region: 'eu-west-1', waf: false, liveKitNodes: 2 },
    }),
  ];
}
