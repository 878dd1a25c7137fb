import { paths } from '../../app/names.ts';
import { signToken } from '../../app/server/auth/hmac.ts';
import type { KnobInput } from '../../lib/config/config.ts';
import { liveKitRule } from '../../lib/local/livekit/nodes.ts';
import { variants } from '../lib/stack/templates.ts';
import { joinCall, type Participant } from '../livekit/support/participant.ts';
import { eventually } from '../support/wait.ts';
import { Deployment } from './deployment.ts';
import type { RunningTask } from './task.ts';

/** A stack with LiveKit and an agent, for this machine's processor. */
export const callKnobs = {
  ...variants['own domain'],
  liveKitInstanceType: process.arch === 'arm64' ? 'c7g.xlarge' : 'c7i.xlarge',
};

/** A deployment with a task of each kind, which were started in the order of a deployment. */
export class CallDeployment {
  readonly deployment: Deployment;
  service!: RunningTask;
  node!: RunningTask;
  agent!: RunningTask;

  private constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  static async start(knobs: KnobInput): Promise<CallDeployment> {
    const deployment = await Deployment.start(knobs, {
      healthChecks: { path: paths.ready },
      rules: [liveKitRule],
    });
    const calls = new CallDeployment(deployment);
    try {
      calls.service = await calls.startService();
      calls.node = await calls.#startNode();
      calls.agent = await deployment.run('agent');
      return calls;
    } catch (error) {
      await deployment.stop();
      throw error;
    }
  }

  async startService(): Promise<RunningTask> {
    const task = await this.deployment.run('app');
    this.deployment.balancer.register({ id: task.id, host: '127.0.0.1', port: task.portOf(3000) });
    await this.#inService(task, 'app');
    return task;
  }

  async #startNode(): Promise<RunningTask> {
    const node = await this.deployment.run('livekit');
    await node.healthy('livekit');
    const { group } = liveKitRule;
    this.deployment.balancer.register({ id: node.id, host: '127.0.0.1', port: node.portOf(7880) }, group);
    await this.#inService(node, 'livekit');
    return node;
  }

  /** The load balancer sends new callers to a new node; the one before goes on. */
  async replaceNode(): Promise<void> {
    const old = this.node;
    this.node = await this.#startNode();
    old.control.lastStatus = 'DEACTIVATING';
    void this.deployment.balancer.deregister(old.id, 80_000);
  }

  async #inService(task: RunningTask, container: string): Promise<void> {
    try {
      await eventually(`${task.id} to be in service`, () =>
        this.deployment.balancer.status().some(({ id, health }) => id === task.id && health === 'healthy'),
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await task.logs(container)}`);
    }
  }

  userToken(): string {
    const claims = { sub: 'ada', exp: Math.floor(Date.now() / 1_000) + 3_600 };
    return signToken(claims, this.deployment.secretNamed('ServiceAuthSecret'));
  }

  /** Joins the call of the room `lobby` with a token of the service. */
  async join(withAgent: boolean): Promise<Participant> {
    const response = await fetch(this.deployment.url + paths.liveKitToken, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.userToken()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ room: 'lobby', agent: withAgent }),
    });
    expect(response.status).toBe(200);
    const { token } = (await response.json()) as { token: string };
    return joinCall(this.deployment.url.replace('http', 'ws'), token);
  }
}
