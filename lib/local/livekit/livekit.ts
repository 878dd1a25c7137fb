import { randomBytes } from 'node:crypto';
import { environmentNames as names } from '../../../app/names.ts';
import type { ApiKey } from '../../../livekit/config/environment.ts';
import type { ManagedProcess } from '../processes/managed-process.ts';
import { LiveKitNodes, type LiveKitNodesOptions } from './nodes.ts';
import { isAgentInstalled, voiceAgent } from './voice-agent.ts';

export interface LiveKitOptions extends Omit<LiveKitNodesOptions, 'key'> {
  /** Run a voice agent, where its packages are installed. */
  readonly agent: boolean;
  /** Has the API key, if it is not to be random, and what the agent inherits. */
  readonly environment: NodeJS.ProcessEnv;
}

/** LiveKit's nodes, and a voice agent that can be asked into their calls. */
export class LiveKit {
  readonly nodes: LiveKitNodes;
  readonly #options: LiveKitOptions;
  readonly #key: ApiKey;
  #agent?: ManagedProcess;

  constructor(options: LiveKitOptions) {
    this.#options = options;
    this.#key = apiKeyFrom(options.environment);
    this.nodes = new LiveKitNodes({ ...options, key: this.#key });
  }

  /** The variables that lead an instance of the service to LiveKit, behind the load balancer's port. */
  variables(): Record<string, string> {
    const port = this.#options.port();
    return {
      [names.liveKitUrl]: `ws://127.0.0.1:${port}`,
      [names.liveKitApiUrl]: `http://127.0.0.1:${port}`,
      [names.liveKitApiKey]: this.#key.key,
      [names.liveKitApiSecret]: this.#key.secret,
    };
  }

  processes(): ManagedProcess[] {
    return [...this.nodes.all(), ...(this.#agent ? [this.#agent] : [])];
  }

  /** @returns undefined where there is none to start */
  startAgent(): ManagedProcess | undefined {
    const { agent, environment, port, watchdog, onProcess } = this.#options;
    if (!agent || this.#agent || !isAgentInstalled()) return undefined;
    this.#agent = voiceAgent({
      environment,
      url: () => `ws://127.0.0.1:${port()}`,
      key: this.#key,
      watchdog,
    });
    onProcess(this.#agent);
    void this.#agent.start();
    return this.#agent;
  }

  async stop(): Promise<void> {
    await Promise.all([this.nodes.stop(), this.#agent?.stop(0)]);
  }
}

/** The key that the service signs tokens with: the environment's, or a random one at each start. */
function apiKeyFrom(environment: NodeJS.ProcessEnv): ApiKey {
  return {
    key: environment[names.liveKitApiKey] || 'local',
    secret: environment[names.liveKitApiSecret] || randomBytes(32).toString('hex'),
  };
}
