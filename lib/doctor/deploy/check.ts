import type { CaaRecord } from 'node:dns';
import type { RealtimeConfig } from '../../config/groups.ts';
import type { Synthesized } from '../../cost/synthesize.ts';
import type { Aws } from './aws.ts';
import type { Deployed } from './deployed.ts';
import type { Finding } from './finding.ts';
import type { Needs } from './needs.ts';

/** What checks look at, and what they compare it with. */
export interface Plan extends Synthesized {
  readonly config: RealtimeConfig;
  readonly needs: Needs;
  readonly aws: Aws;
  /** Id of the account. */
  readonly account: string;
  /** Who deploys, as an ARN. */
  readonly caller: string;
  /** The stack as it is now. @throws NotCheckedError */
  deployed(): Promise<Deployed | undefined>;
  readonly environment: NodeJS.ProcessEnv;
  readonly resolveNs: (zone: string) => Promise<string[]>;
  readonly resolveCaa: (name: string) => Promise<CaaRecord[]>;
}

/** One thing that a deployment needs. It reads, and changes nothing. */
export interface Check {
  readonly name: string;
  /** What it may have to ask, as actions of IAM, each with the resources that it asks about. */
  readonly permissions: Readonly<Record<string, string>>;
  /** @returns whether this deployment needs it at all. @default true */
  applies?(plan: Plan): boolean;
  /** @throws NotCheckedError where it can't see */
  run(plan: Plan): Promise<Finding>;
}
