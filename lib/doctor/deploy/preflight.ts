import { resolveCaa, resolveNs } from 'node:dns/promises';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { type Synthesized, synthesize } from '../../cost/synthesize.ts';
import { json, type Output } from '../../verify/report.ts';
import type { Arguments, Surroundings } from '../arguments.ts';
import { CannotDiagnoseError } from '../finding.ts';
import { type Aws, openAws } from './aws.ts';
import type { Check, Plan } from './check.ts';
import { account, bootstrap, stack } from './checks/account.ts';
import { builder } from './checks/builder.ts';
import { authorities, certificate, hostedZone, records } from './checks/domain.ts';
import { model } from './checks/model.ts';
import { price } from './checks/price.ts';
import {
  addresses,
  applicationLoadBalancers,
  cacheNodes,
  fargate,
  hosts,
  networkLoadBalancers,
  networks,
} from './checks/quotas.ts';
import { hostZones, network, zones } from './checks/zones.ts';
import { readDeployed } from './deployed.ts';
import { findingOf, type NamedFinding } from './finding.ts';
import { needsOf } from './needs.ts';
import { rowReport, type Summary } from './report.ts';

/** In the order in which they are reported. */
export const checks: readonly Check[] = [
  account,
  bootstrap,
  stack,
  fargate,
  hosts,
  addresses,
  networks,
  applicationLoadBalancers,
  networkLoadBalancers,
  cacheNodes,
  zones,
  network,
  hostZones,
  builder,
  hostedZone,
  records,
  authorities,
  certificate,
  model,
  price,
];

/** The least that all the checks need. Actions that AWS gives by resource name theirs. */
export const policy = {
  Version: '2012-10-17',
  Statement: [...new Set(checks.flatMap(({ permissions }) => Object.values(permissions)))].map(
    (resource) => ({
      Effect: 'Allow',
      Action: [
        ...new Set(
          checks.flatMap(({ permissions }) =>
            Object.keys(permissions).filter((action) => permissions[action] === resource),
          ),
        ),
      ].sort(),
      Resource: resource,
    }),
  ),
};

/** @throws ConfigError, CannotDiagnoseError */
export async function preflight(
  { context, json: isJson }: Pick<Arguments, 'context' | 'json'>,
  surroundings: Surroundings,
): Promise<number> {
  const summary = await examine(
    synthesize(context),
    isJson ? surroundings.errors : surroundings.output,
    surroundings,
  );
  if (isJson) surroundings.output.write(json(summary));
  return summary.ok ? 0 : 1;
}

/** Looks at the account, and reports. @throws CannotDiagnoseError if there are no credentials */
export async function examine(
  synthesized: Synthesized,
  output: Output,
  surroundings: Pick<Surroundings, 'environment' | 'resolveNs' | 'resolveCaa'>,
): Promise<Summary> {
  const { config, template } = synthesized;
  const aws = openAws(config.region);
  const identity = await identify(aws);
  let deployed: ReturnType<Plan['deployed']> | undefined;
  const plan: Plan = {
    ...synthesized,
    ...identity,
    needs: needsOf(template),
    aws,
    deployed: () => {
      deployed ??= readDeployed(config.stackName, aws.cloudFormation);
      return deployed;
    },
    environment: surroundings.environment,
    resolveNs: surroundings.resolveNs ?? resolveNs,
    resolveCaa: surroundings.resolveCaa ?? resolveCaa,
  };
  const applicable = checks.filter(({ applies }) => applies?.(plan) ?? true);
  const report = rowReport(
    output,
    applicable.map(({ name }) => name),
  );
  const about = { account: identity.account, region: config.region, stack: config.stackName };
  report.begin(about);
  const findings: NamedFinding[] = [];
  for (const check of applicable) {
    const finding = { name: check.name, ...(await findingOf(() => check.run(plan))) };
    findings.push(finding);
    report.found(finding);
  }
  const summary = { ok: isOk(applicable, findings), ...about, findings };
  report.end(summary);
  return summary;
}

/** Nothing stands in the way, and AWS has answered to one check at least: some need no answer, and always pass. */
function isOk(made: readonly Check[], findings: readonly NamedFinding[]): boolean {
  const answered = findings.filter(({ status }, index) => {
    const { permissions = {} } = made[index] ?? {};
    return Object.keys(permissions).length > 0 && status !== 'not-checked';
  });
  return answered.length > 0 && !findings.some(({ status }) => status === 'failed');
}

/** @throws CannotDiagnoseError if there are no credentials that AWS takes */
async function identify({ sts }: Aws): Promise<Pick<Plan, 'account' | 'caller'>> {
  try {
    const { Account = '', Arn = '' } = await sts.send(new GetCallerIdentityCommand({}));
    return { account: Account, caller: Arn };
  } catch (error) {
    const { name, message } = error as Error;
    const isConnection = /ENOTFOUND|ECONN|ETIMEDOUT|Timeout|getaddrinfo/.test(`${name} ${message}`);
    throw new CannotDiagnoseError(
      isConnection
        ? `AWS can't be reached (${name}: ${message}). Check the network, and the proxy that it may need.`
        : `No AWS credentials that are valid now (${name}: ${message}). Log in (\`aws sso login\`), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.`,
    );
  }
}
