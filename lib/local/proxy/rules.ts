import { type HealthCheckOptions, HealthChecks } from './health-checks.ts';
import { type Target, TargetGroup } from './targets.ts';

/** Sends some paths to a target group of their own. */
export interface Rule {
  /** The group's name, which its targets are registered with. */
  readonly group: string;
  /** An ALB's patterns: `*` is any text, `?` one character. */
  readonly paths: readonly string[];
  readonly healthChecks?: HealthCheckOptions;
}

/** A target group, and which paths lead to it. */
export interface Listener {
  /** Undefined: the group that takes all that no rule matches. */
  readonly group: string | undefined;
  readonly targets: TargetGroup;
  readonly checks: HealthChecks;
  matches(path: string): boolean;
}

/** The groups of `rules`, whose targets are not sticky, and in the end the sticky one for all else. */
export function listenersFor(
  rules: readonly Rule[],
  healthChecks: HealthCheckOptions,
  onHealth: (target: Target) => void,
): Listener[] {
  const ruled = rules.map((rule): Listener => {
    const patterns = rule.paths.map(patternOf);
    return {
      group: rule.group,
      targets: new TargetGroup({ sticky: false }),
      checks: new HealthChecks(rule.healthChecks ?? {}, onHealth),
      matches: (path) => patterns.some((pattern) => pattern.test(path)),
    };
  });
  const rest: Listener = {
    group: undefined,
    targets: new TargetGroup({ sticky: true }),
    checks: new HealthChecks(healthChecks, onHealth),
    matches: () => true,
  };
  return [...ruled, rest];
}

function patternOf(path: string): RegExp {
  const literal = path.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replace(/\*/g, '.*').replace(/\?/g, '.')}$`, 's');
}
