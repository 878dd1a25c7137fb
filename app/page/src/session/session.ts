import { useEffect, useState } from 'react';

/** The user of this window. */
export interface Session {
  /** Undefined if the service authenticates nobody. */
  readonly token: string | undefined;
  /** The token's subject, which others see in `from`. Undefined without a token. */
  readonly subject: string | undefined;
}

/** A token is replaced so long before it expires, in milliseconds. */
const renewBeforeMs = 60_000;
const storageKey = 'realtime-stack-token';

let current: Promise<Session> | undefined;

/** The window's guest session. It survives reloads, so the user stays the same. Concurrent calls share one request. */
export function currentSession(): Promise<Session> {
  current ??= openSession();
  const known = current;
  return known.then(
    (session) => (isFresh(session.token) ? session : replace(known)),
    () => replace(known),
  );
}

function replace(known: Promise<Session>): Promise<Session> {
  if (current === known) current = openSession();
  return current ?? known;
}

/** Call it when the service rejects this token, whatever this window's clock says: the next session gets a new one. */
export function discardToken(token: string | undefined): void {
  // Several hubs report the same token, and by then there may be another one.
  if (token === undefined || sessionStorage.getItem(storageKey) !== token) return;
  sessionStorage.removeItem(storageKey);
  current = undefined;
}

/** The session. Undefined until it is there. */
export function useSession(): Session | undefined {
  const [session, setSession] = useState<Session>();
  useEffect(() => {
    void currentSession().then(setSession, () => undefined);
  }, []);
  return session;
}

async function openSession(): Promise<Session> {
  const kept = sessionStorage.getItem(storageKey) ?? undefined;
  if (kept && isFresh(kept)) return { token: kept, subject: claimsOf(kept).sub };
  let response = await askForToken(kept);
  // The stored token has expired, so the window gets a new user.
  if (response.status === 401) response = await askForToken(undefined);
  // The service allows no guests, or lets everyone in.
  if (response.status === 404) return { token: undefined, subject: undefined };
  if (!response.ok) throw new Error(`no session: the service answered ${response.status}`);
  const { token, subject } = (await response.json()) as { token: string; subject: string };
  sessionStorage.setItem(storageKey, token);
  return { token, subject };
}

function askForToken(kept: string | undefined): Promise<Response> {
  return fetch('/api/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(kept && { authorization: `Bearer ${kept}` }) },
    body: '{}',
  });
}

function isFresh(token: string | undefined): boolean {
  return token === undefined || claimsOf(token).exp * 1000 - Date.now() > renewBeforeMs;
}

function claimsOf(token: string): { readonly sub: string; readonly exp: number } {
  const payload = token.split('.')[1] ?? '';
  const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (each) =>
    each.charCodeAt(0),
  );
  return JSON.parse(new TextDecoder().decode(bytes)) as { sub: string; exp: number };
}
