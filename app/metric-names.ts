/**
 * Names of the metrics that the service writes into its log for CloudWatch, as far as something else relies on them:
 * scaling and alarms. Only constants stand here.
 */

/** The value of `EMF_NAMESPACE` on AWS. */
export const metricNamespace = 'RealtimeStack';

/** Dimensions of each metric: no instance among them, so that figures are over all of a service. */
export const metricDimensions = { deployment: 'Deployment', service: 'Service' } as const;

/** Value of the dimension `Service`. */
export const metricService = 'app';

/** Each is written once a minute by each instance. */
export type ServiceMetric =
  /** Open connections of the instance. */
  | 'Connections'
  /** Connections opened since the minute before. */
  | 'Connects'
  /** 1 while the instance has lost Redis, else 0. */
  | 'Degraded';

/** Why a connection to Redis ended, in the log, when its server turned out to be a replica. */
export const demotedReason = 'the server is a replica now';
