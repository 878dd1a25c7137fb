import { type EmfDocument, EmfReporter, type EmfReporterOptions } from '../../../app/server/metrics/emf.ts';

/** The line that an instance writes once a minute, from the service's own emitter. */
export function emittedMetrics(namespace: string, deployment: string): EmfDocument {
  const lines: EmfDocument[] = [];
  const log = { child: () => log, info: (line: EmfDocument) => lines.push(line) };
  const zero = {
    total: () => 0,
    published: () => 0,
    takeRoundTrips: () => [1],
    takeDelays: () => [1],
    takeP99s: () => [1],
  };
  const metrics = { connections: zero, rooms: zero, backplane: zero, eventLoop: zero, instanceEnds: zero };
  const reporter = new EmfReporter({ metrics, namespace, deployment, log } as unknown as EmfReporterOptions);
  reporter.report('minute');
  reporter.close();
  return lines[0] as EmfDocument;
}
