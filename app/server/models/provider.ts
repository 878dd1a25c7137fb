/** What answers prompts. */
export interface ModelProvider {
  /** Model and kind, for logs, metrics and keys of caches: `bedrock/anthropic.claude-…`. */
  readonly name: string;
  /**
   * The answer as it is made, in pieces of any size; none is empty.
   * @throws ModelError; whatever the signal was aborted with, when it was
   */
  stream(request: ModelRequest): AsyncIterable<string>;
}

export interface ModelRequest {
  /** Oldest first, turn and turn about, the user's first and last. */
  readonly messages: readonly ModelMessage[];
  readonly signal: AbortSignal;
}

export interface ModelMessage {
  readonly role: 'user' | 'assistant';
  readonly text: string;
}

export type ModelFault =
  /** Asked too often, or overloaded: later it may go well. */
  | 'busy'
  /** The service may not use the model, or there is none of that name: someone has to mend it. */
  | 'misconfigured'
  /** The model does not take this conversation. */
  | 'rejected'
  /** It broke off, or can't be reached. */
  | 'broken';

/** The message is for the operator and never holds what was asked; users get the fault alone. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly fault: ModelFault;

  constructor(fault: ModelFault, message: string) {
    super(message);
    this.fault = fault;
  }
}
