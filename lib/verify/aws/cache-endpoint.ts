import { CheckFailure, CheckSkip } from '../check.ts';
import { explainRefusal } from './explain-refusal.ts';
import { readReplicationGroup } from './replication-group.ts';
import type { StackCheck } from './stack-check.ts';

export const cacheEndpoint: StackCheck = {
  name: 'cache-endpoint',
  title: 'The address that services read is the primary’s, over TLS and without a password',
  async run(stack, clients) {
    const group = await readReplicationGroup(stack, clients);
    const { Address, Port } = group.NodeGroups?.[0]?.PrimaryEndpoint ?? {};
    const parameter = stack.find('AWS::SSM::Parameter');
    if (!parameter) throw new CheckSkip('the stack has no parameter');
    const { GetParameterCommand } = await import('@aws-sdk/client-ssm');
    const answer = await clients.ssm
      .send(new GetParameterCommand({ Name: parameter.physicalId }))
      .catch((error: unknown) => {
        throw explainRefusal(error, `the parameter ${parameter.physicalId}`);
      });
    const said = answer.Parameter?.Value ?? '';
    const expected = `rediss://${Address}:${Port}`;
    if (said === expected) return { proved: `${parameter.physicalId} is ${expected}` };
    const url = URL.canParse(said) ? new URL(said) : undefined;
    throw new CheckFailure({
      // Whoever put a password there would find it in a report.
      found: `${parameter.physicalId} says ${url ? `${url.protocol}//${url.host}` : `${said.length} characters`}${
        url?.password ? ' with a password' : ''
      }, the primary is ${expected}`,
      cause: 'the parameter was changed by hand, or the cache was replaced outside of CloudFormation',
      fix: `\`npx cdk deploy\`, or \`aws ssm put-parameter --overwrite --name ${parameter.physicalId} --value ${expected}\`; services read it at their next connect`,
    });
  },
};
