/** Methods that the process which started this one may call, over the channel between them. */
export type Methods = Readonly<Record<string, (argument: never) => unknown>>;

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly fault?: string;
}

/** Answers until the parent is gone, however it went; then this process ends too. */
export function answerParent(methods: Methods): void {
  process.on('message', async ({ id, method, argument }: Call) => {
    const answer = await run(methods, method, argument).then(
      (result): Answer => ({ id, result }),
      (error: Error): Answer => ({ id, fault: error.stack ?? error.message }),
    );
    process.send?.(answer);
  });
  process.on('disconnect', () => process.exit(0));
}

async function run(methods: Methods, method: string, argument: unknown): Promise<unknown> {
  const known = methods[method];
  if (!known) throw new Error(`no method ${method}`);
  return known(argument as never);
}
