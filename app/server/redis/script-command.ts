import type { Redis } from 'ioredis';

export type ScriptValue = string | number;

type Command = Parameters<Redis['sendCommand']>[0];

/** What is sent for a script of this hash, up to its keys: made once for each script. */
export function evalshaHead(hash: string): string {
  return `$7\r\nevalsha\r\n$${hash.length}\r\n${hash}\r\n`;
}

/**
 * An EVALSHA as ioredis 6 takes commands in `sendCommand`, for half of what its own class costs: most of what the service
 * asks of Redis is one. A test holds what ioredis asks of a command to the version in the lockfile.
 *
 * @throws (in the promise) as a command of ioredis: ReplyError, or Error where no answer came
 */
export function sendScript(
  redis: Redis,
  head: string,
  keys: readonly string[],
  values: readonly ScriptValue[],
): Promise<unknown> {
  const command = new ScriptCommand(head, keys, values);
  redis.sendCommand(command as unknown as Command);
  return command.promise;
}

class ScriptCommand {
  readonly name = 'evalsha';
  /** Tracing is for ioredis' own commands. */
  readonly isTraced = true;
  readonly inTransaction = false;
  readonly promise: Promise<unknown>;
  isSettled = false;
  /** Overwritten by whoever follows what a server of a cluster says. */
  reject: (error: Error) => void;
  readonly #head: string;
  readonly #keys: readonly string[];
  readonly #values: readonly ScriptValue[];
  #settle: ((value: unknown) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(head: string, keys: readonly string[], values: readonly ScriptValue[]) {
    this.#head = head;
    this.#keys = keys;
    this.#values = values;
    let fail: (error: Error) => void = () => undefined;
    this.promise = new Promise((resolve, reject) => {
      this.#settle = resolve;
      fail = reject;
    });
    this.reject = (error) => {
      this.#end();
      fail(error);
    };
  }

  /** In errors, and in ioredis' debugging. */
  get args(): readonly ScriptValue[] {
    return [this.#keys.length, ...this.#keys, ...this.#values];
  }

  /** Which protocol is spoken: both answer scripts alike. */
  setReplyContext(): void {}

  /** Once, however often it is sent on. */
  setTimeout(milliseconds: number): void {
    this.#timer ??= setTimeout(timeOut, milliseconds, this);
  }

  toWritable(): string {
    const keys = this.#keys;
    let text = `*${3 + keys.length + this.#values.length}\r\n${this.#head}${bulk(String(keys.length))}`;
    for (const key of keys) text += bulk(key);
    for (const value of this.#values) text += typeof value === 'string' ? bulk(value) : digits(String(value));
    return text;
  }

  resolve(reply: unknown): void {
    this.#end();
    this.#settle?.(textsIn(reply));
  }

  #end(): void {
    this.isSettled = true;
    clearTimeout(this.#timer);
  }
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** The same of a number, whose characters are a byte each. */
function digits(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function timeOut(command: ScriptCommand): void {
  if (!command.isSettled) command.reject(new Error('Command timed out'));
}

function textsIn(reply: unknown): unknown {
  if (reply instanceof Buffer) return reply.toString();
  return Array.isArray(reply) ? reply.map(textsIn) : reply;
}
