import { liveKitKey, liveKitVariables } from './livekit-access.ts';
import { LiveKitNodes, type LiveKitNodesOptions } from './livekit-nodes.ts';
import type { Part } from './part.ts';
import { isAgentInstalled, voiceAgent } from './voice-agent.ts';

export interface CallsOptions extends Omit<LiveKitNodesOptions, 'key'> {
  /** Run a voice agent, where its packages are installed. */
  readonly agent: boolean;
  /** Has the key, if it is not to be made up, and what the agent inherits. */
  readonly environment: NodeJS.ProcessEnv;
}

/** What makes calls: LiveKit's nodes, and a voice agent that can be asked into them. */
export class Calls {
  readonly nodes: LiveKitNodes;
  readonly #options: CallsOptions;
  readonly #key;
  #agent?: Part;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#key = liveKitKey(options.environment);
    this.nodes = new LiveKitNodes({ ...options, key: this.#key });
  }

  /** What leads an instance of the service to LiveKit. */
  variables(): Record<string, string> {
    return liveKitVariables(this.#options.port(), this.#key);
  }

  parts(): Part[] {
    return [...this.nodes.all(), ...(this.#agent ? [this.#agent] : [])];
  }

  /** @returns undefined where there is none to start */
  startAgent(): Part | undefined {
    const { agent, environment, port, guard, onPart } = this.#options;
    if (!agent || this.#agent || !isAgentInstalled()) return undefined;
    const part = voiceAgent({
      environment,
      url: () => `ws://127.0.0.1:${port()}`,
      key: this.#key,
      guard,
    });
    this.#agent = part;
    onPart(part);
    void part.start();
    return part;
  }

  async stop(): Promise<void> {
    await Promise.all([this.nodes.stop(), this.#agent?.stop(0)]);
  }
}
