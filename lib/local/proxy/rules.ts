import { type HealthCheckOptions, HealthChecks } from './health-checks.ts';
import { type Target, TargetGroup, type TargetGroupOptions } from './targets.ts';

/** Sends some paths to a target group of their own, as a listener rule of an ALB does. */
export interface Rule {
  /** The group's name; its targets are registered under it. */
  readonly group: string;
  /** An ALB's patterns: `*` is any text, `?` one character. */
  readonly paths: readonly string[];
  readonly healthChecks?: HealthCheckOptions;
  /** Cookies tie clients to its targets. @default false */
  readonly sticky?: boolean;
}

/** A target group, and the paths that lead to it. */
export interface ForwardRule {
  /** Undefined for the group that gets all paths that no rule matches. */
  readonly group: string | undefined;
  readonly targets: TargetGroup;
  readonly checks: HealthChecks;
  matches(path: string): boolean;
}

export interface RestOptions {
  readonly healthChecks?: HealthCheckOptions | undefined;
  /** Of the group for all paths that no rule matches. */
  readonly rest: TargetGroupOptions;
}

/** Makes the groups of `rules`, and as the last one the group for all other paths. */
export function forwardRules(
  rules: readonly Rule[],
  { healthChecks = {}, rest: restOptions }: RestOptions,
  onHealth: (target: Target) => void,
): ForwardRule[] {
  const ruled = rules.map((rule): ForwardRule => {
    const patterns = rule.paths.map(patternOf);
    return {
      group: rule.group,
      targets: new TargetGroup({ sticky: rule.sticky ?? false }),
      checks: new HealthChecks(rule.healthChecks ?? {}, onHealth),
      matches: (path) => patterns.some((pattern) => pattern.test(path)),
    };
  });
  const rest: ForwardRule = {
    group: undefined,
    targets: new TargetGroup(restOptions),
    checks: new HealthChecks(healthChecks, onHealth),
    matches: () => true,
  };
  return [...ruled, rest];
}

function patternOf(path: string): RegExp {
  const literal = path.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${literal.replace(/\*/g, '.*').replace(/\?/g, '.')}$`, 's');
}
