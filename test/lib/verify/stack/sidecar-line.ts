import { createLogger } from '../../../../livekit/sidecar/logger.ts';
import type { SidecarMetric } from '../../../../livekit/sidecar/names.ts';

/** A line of CloudWatch's embedded metric format. */
export interface EmfLine extends Record<string, unknown> {
  _aws: {
    Timestamp: number;
    CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string }[] }[];
  };
}

/** A line of metrics, as a sidecar's own logger writes it. */
export function sidecarLine(
  at: Date,
  service: 'livekit' | 'agent',
  values: Partial<Record<SidecarMetric, number>>,
  deployment = 'realtime-prod',
): EmfLine {
  const lines: EmfLine[] = [];
  const logger = createLogger({
    namespace: 'RealtimeStack',
    dimensions: { Deployment: deployment, Service: service },
    write: (line) => lines.push(JSON.parse(line)),
  });
  logger.metrics(values);
  const line = lines[0] as EmfLine;
  line._aws.Timestamp = at.getTime();
  return line;
}
