const answerMs = 2_000;

/**
 * How many are there: participants of a LiveKit node from its metrics, or jobs of an agent's worker.
 * @throws Error when it can't be told
 */
export async function readLoad(url: string): Promise<number> {
  const response = await fetch(url, { signal: AbortSignal.timeout(answerMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return isJson ? jobsIn(await response.json()) : participantsIn(await response.text());
}

function jobsIn(worker: unknown): number {
  const jobs = (worker as { active_jobs?: unknown } | null)?.active_jobs;
  if (typeof jobs !== 'number') throw new Error('the worker does not tell its active_jobs');
  return jobs;
}

/** Those of all rooms. The family appears with the first participant: before that nobody was there. */
export function participantsIn(metrics: string): number {
  if (!/^livekit_/m.test(metrics)) throw new Error('these are no metrics of LiveKit');
  const samples = metrics.matchAll(/^livekit_participant_total(?:\{[^}]*\})? (\S+)/gm);
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
}
