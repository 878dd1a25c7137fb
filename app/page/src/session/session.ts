import { useEffect, useState } from 'react';

/** Who this window is. */
export interface Session {
  /** Undefined where the service authenticates nobody. */
  readonly token: string | undefined;
  /** The token's subject, as others see it in `from`; undefined without a token. */
  readonly subject: string | undefined;
}

/** A token is replaced so long before it ends, in milliseconds. */
const renewBeforeMs = 60_000;
const storageKey = 'realtime-stack-token';

let current: Promise<Session> | undefined;

/** The window's guest session: kept over reloads, so that it stays the same person. Asked together, it is one. */
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

/** Undefined until it is there. */
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
  // The one that was kept has ended: the window is somebody new.
  if (response.status === 401) response = await askForToken(undefined);
  // A service that takes no guests, or everyone.
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
