import type { ServerResponse } from 'node:http';

/** A request that can't be met; the message goes to who asked. */
export class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface ControlRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Matched against the whole path; its groups are the answer's arguments. */
  readonly path: RegExp;
  readonly answer: (groups: readonly string[], query: URLSearchParams) => unknown;
}

/** @throws ControlError when there is no such route, or it can't be met */
export async function answerRoute(
  routes: readonly ControlRoute[],
  method: string | undefined,
  url: URL,
): Promise<unknown> {
  for (const { method: each, path, answer } of routes) {
    const match = path.exec(url.pathname);
    if (match && each === method) return answer(match.slice(1).map(decoded), url.searchParams);
  }
  throw new ControlError(404, `no such route: ${method} ${url.pathname}`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ControlError(400, `"${part}" is no encoded text`);
  }
}

/** Sends the answer, or why there is none, as JSON. */
export function respond(response: ServerResponse, answer: Promise<unknown>): void {
  answer
    .then((body) => ({ status: 200, body: body ?? {} }))
    .catch((error: Error) => ({
      status: error instanceof ControlError ? error.status : 500,
      body: { error: error.message },
    }))
    .then(({ status, body }) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      });
      response.end(JSON.stringify(body));
    });
}
