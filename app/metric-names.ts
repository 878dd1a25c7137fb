/**
 * Names of the metrics that the service writes into its log for CloudWatch: scaling, alarms and the dashboard
 * rely on them. Only constants stand here.
 */

/** The value of `EMF_NAMESPACE` on AWS. */
export const metricNamespace = 'RealtimeStack';

/** Dimensions of each metric: no instance among them, so that figures are over all of a service. */
export const metricDimensions = { deployment: 'Deployment', service: 'Service' } as const;

/** Value of the dimension `Service`. */
export const metricService = 'app';

/** Each instance writes them once a minute. app/server/metrics/README.md says what each is. */
export const serviceMetrics = [
  'Connections',
  'Rooms',
  'Members',
  'ResidentMemory',
  'EventLoopLagP99',
  'RedisRoundTrip',
  'PublishToDelivery',
  'Connects',
  'Disconnects',
  'UpgradeFailures',
  'SessionsCut',
  'Joins',
  'Replays',
  'Publishes',
  'PublishesFailed',
  'Deliveries',
  'Gaps',
  'LossesReported',
  'SlowConsumers',
  'DegradedSeconds',
  'RedisErrors',
] as const;
export type ServiceMetric = (typeof serviceMetrics)[number];

/** Why a connection to Redis ended, in the log, when its server turned out to be a replica. */
export const demotedReason = 'the server is a replica now';
