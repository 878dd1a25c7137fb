import { GetParameterCommand } from '@aws-sdk/client-ssm';
import { passed } from '../../finding.ts';
import { ask } from '../aws.ts';
import type { Check, Plan } from '../check.ts';
import { deployedPermissions } from '../deployed.ts';
import { failed, warned } from '../finding.ts';

/** `sts:GetCallerIdentity` needs no permission; it is asked before all else. */
export const account: Check = {
  name: 'account',
  permissions: {},
  async run({ account: id, caller, config, environment }) {
    const variable = environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION;
    const other =
      variable && variable !== config.region
        ? `; AWS_REGION is ${variable}, but the knob \`region\` counts`
        : '';
    return passed(`${id}, ${config.region}, as ${caller}${other}`);
  },
};

export const bootstrap: Check = {
  name: 'bootstrap',
  permissions: { 'ssm:GetParameter': 'arn:aws:ssm:*:*:parameter/cdk-bootstrap/*' },
  async run(plan) {
    const { parameter, leastVersion } = plan.bootstrap;
    const response = await ask(
      'ssm:GetParameter',
      plan.aws.ssm.send(new GetParameterCommand({ Name: parameter })),
      /^ParameterNotFound/,
    );
    const needed = `version ${leastVersion} or newer, by the SSM parameter ${parameter}`;
    if (!response) return failed({ found: 'no bootstrap', needed, fix: bootstrapCommand(plan) });
    const version = Number(response.Parameter?.Value);
    if (!(version >= leastVersion))
      return failed({
        found: `version ${response.Parameter?.Value}`,
        needed,
        fix: `${bootstrapCommand(plan)}, which upgrades it`,
      });
    return passed(`version ${version} (${leastVersion} or newer is needed)`);
  },
};

function bootstrapCommand({ account: id, config }: Plan): string {
  const { bootstrapQualifier: qualifier, permissionsBoundary: boundary, region } = config;
  return [
    `\`npx cdk bootstrap aws://${id}/${region}`,
    ...(qualifier ? [`--qualifier ${qualifier} --toolkit-stack-name CDKToolkit-${qualifier}`] : []),
    ...(boundary ? [`--custom-permissions-boundary ${boundary.replace(/^arn:.*?:policy\//, '')}`] : []),
  ]
    .join(' ')
    .concat('`');
}

/** The CDK protects a stack before it creates it, so that one that failed may be protected, too. */
const unprotect = (name: string, region: string) =>
  `\`aws cloudformation update-termination-protection --no-enable-termination-protection --region ${region} --stack-name ${name}\`, then `;

interface WayOut {
  readonly states: RegExp;
  readonly deletes?: boolean;
  readonly fix: (name: string, region: string) => string;
}

/** States from which CloudFormation takes no deployment, and the way out of each. */
const stuck: readonly WayOut[] = [
  {
    states: /^(ROLLBACK_COMPLETE|ROLLBACK_FAILED|CREATE_FAILED|DELETE_FAILED)$/,
    deletes: true,
    fix: (name, region) =>
      `\`aws cloudformation delete-stack --region ${region} --stack-name ${name}\`, then deploy again; its events say what had failed`,
  },
  {
    states: /^UPDATE_ROLLBACK_FAILED$/,
    fix: (name, region) =>
      `\`aws cloudformation continue-update-rollback --region ${region} --stack-name ${name}\``,
  },
  {
    states: /_IN_PROGRESS$/,
    fix: (name, region) =>
      `wait: \`aws cloudformation describe-stack-events --region ${region} --stack-name ${name}\` shows what it waits for`,
  },
];

export const stack: Check = {
  name: 'stack',
  permissions: deployedPermissions,
  async run(plan) {
    const { stackName, region, deletionProtection } = plan.config;
    const deployed = await plan.deployed();
    // A change set that was never executed leaves a stack without resources.
    if (!deployed || deployed.status === 'REVIEW_IN_PROGRESS') {
      if (!deletionProtection) return passed(`${stackName} does not exist yet: this creates it`);
      return warned({
        found: `${stackName} does not exist yet, and \`deletionProtection\` is on`,
        needed: 'a first deployment without it: what is protected from its creation can’t be rolled back',
        fix: 'deploy with `-c deletionProtection=false` first, then without',
      });
    }
    const way = stuck.find(({ states }) => states.test(deployed.status));
    if (way)
      return failed({
        found: `${stackName} is ${deployed.status}`,
        needed: 'a stack that takes deployments',
        fix: `${deployed.protected && way.deletes ? unprotect(stackName, region) : ''}${way.fix(stackName, region)}`,
      });
    return passed(`${stackName} is ${deployed.status}: this updates it`);
  },
};
