import { createLog } from '../../../../livekit/sidecar/log.ts';
import type { SidecarMetric } from '../../../../livekit/sidecar/names.ts';

/** A line of CloudWatch's embedded metric format. */
export interface EmfLine extends Record<string, unknown> {
  _aws: {
    Timestamp: number;
    CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string }[] }[];
  };
}

/** What a sidecar writes, by its own log. */
export function sidecarLine(
  at: Date,
  service: 'livekit' | 'agent',
  values: Partial<Record<SidecarMetric, number>>,
  deployment = 'realtime-prod',
): EmfLine {
  const lines: EmfLine[] = [];
  const log = createLog({
    namespace: 'RealtimeStack',
    dimensions: { Deployment: deployment, Service: service },
    write: (line) => lines.push(JSON.parse(line)),
  });
  log.metrics(values);
  const line = lines[0] as EmfLine;
  line._aws.Timestamp = at.getTime();
  return line;
}
