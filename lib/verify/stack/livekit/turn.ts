import { CheckFailure, NotProvedError, type StackCheck } from '../../check.ts';
import { askTurn, type TurnServer } from '../../livekit/turn.ts';
import { duration } from '../../wording.ts';

const answerMs = 5_000;

export const liveKitTurn: StackCheck = {
  name: 'livekit-turn',
  title: 'TURN answers over TLS on port 443, for networks that let nothing else out',
  async run({ outputs: { TurnName: host } }) {
    if (!host) throw new NotProvedError('the stack has no TURN');
    return { proved: `${host} answered over TLS in ${duration(await timeToAnswer({ host }))}` };
  },
};

/** @throws CheckFailure that says what to do */
export async function timeToAnswer(server: TurnServer, timeoutMs = answerMs): Promise<number> {
  const askedAt = performance.now();
  try {
    await askTurn(server, timeoutMs);
    return performance.now() - askedAt;
  } catch (error) {
    throw new CheckFailure(explain(server.host, error as NodeJS.ErrnoException));
  }
}

function explain(host: string, { code = '', message }: NodeJS.ErrnoException) {
  const found = `${host} does not answer over TLS: ${code === 'ABORT_ERR' ? 'nothing came' : message}`;
  if (/ENOTFOUND|EAI_/.test(code))
    return {
      found,
      cause: 'the name leads nowhere: its DNS record is missing',
      fix: `point ${host} at the output TurnLoadBalancerName, or give \`hostedZoneId\``,
    };
  if (/CERT|ALTNAME|SELF_SIGNED|VERIFY/.test(code))
    return {
      found,
      cause: 'the certificate does not cover that name, has ended, or is nobody’s that clients trust',
      fix: 'take a certificate that covers `turnDomainName` too, or give `hostedZoneId`',
    };
  if (/ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ABORT_ERR/.test(code))
    return {
      found,
      cause:
        'the network load balancer is not there, its listener is not ready, or a firewall here lets nothing out',
      fix: 'try from another network; `aws elbv2 describe-load-balancers --query "LoadBalancers[?Type==\'network\']"`',
    };
  return {
    found,
    cause: 'behind the load balancer no node takes TURN: its targets are unhealthy',
    fix: 'RUNBOOK.md: "Some users can’t be heard in calls"',
  };
}
