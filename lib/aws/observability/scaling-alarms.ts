import type { Agent } from '../agent/agent.ts';
import type { LiveKit } from '../livekit/livekit.ts';
import type { AddAlarm } from './alarm.ts';
import type { DashboardSources } from './dashboard-rows.ts';

/** Alarms on each service that can't scale further: this one, LiveKit's nodes, the voice agent. */
export function addScalingAlarms(
  add: AddAlarm,
  { service, liveKit, agent }: Pick<DashboardSources, 'service' | 'liveKit' | 'agent'>,
): void {
  for (const scaling of [service, liveKit, agent]) {
    const metric = scaling?.metricUnmetDemand();
    if (!scaling || !metric) continue;
    const { id } = scaling.node;
    add(`${id}AtMaximum`, {
      after: scaling === service ? service.running : (scaling as LiveKit | Agent).service,
      runbook: "A service can't scale further",
      meaning: `${id} has all ${scaling.maxTasks} tasks that it may have, and its load asks for more.`,
      metric,
      above: 0,
      // A deployment doubles the tasks for minutes.
      points: [15, 15],
      noData: 'fine',
      because: 'tasks that report nothing are the alarm of tasks',
    });
  }
}
