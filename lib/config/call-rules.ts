import { callDrainFault } from '../../livekit/config/call-drain.ts';
import { fargateFault } from './fargate-sizes.ts';
import { needs, type Rule, rule, shown } from './rule.ts';

/** What no knob of calls can tell alone. */
export const callRules: readonly Rule[] = [
  rule(
    ['vpcId', 'liveKitNodes', 'publicSubnetIds'],
    ({ vpcId, liveKitNodes, publicSubnetIds }) =>
      vpcId !== undefined &&
      liveKitNodes > 0 &&
      !publicSubnetIds &&
      `\`publicSubnetIds\` must be named for LiveKit in \`vpcId\`, got: nothing; media goes straight to its hosts`,
  ),
  rule(
    ['liveKitNodes', 'backplane'],
    ({ liveKitNodes, backplane }) =>
      liveKitNodes > 1 &&
      backplane === 'none' &&
      `\`liveKitNodes\` must be at most 1 without a backplane, got: ${liveKitNodes}; nodes find each other's rooms through Redis`,
  ),
  rule(
    ['liveKitNodes', 'liveKitMaxNodes'],
    ({ liveKitNodes, liveKitMaxNodes }) =>
      liveKitMaxNodes !== undefined &&
      (liveKitMaxNodes < liveKitNodes || (liveKitMaxNodes > liveKitNodes && liveKitNodes < 2)) &&
      `\`liveKitMaxNodes\` must be \`liveKitNodes\` (${liveKitNodes}) or more, with 2 of those at least, got: ${liveKitMaxNodes}; calls of a node that dies need another at once: take liveKitNodes=2`,
  ),
  rule(
    ['maxCallDrainMinutes', 'liveKitStopMinutes'],
    ({ maxCallDrainMinutes, liveKitStopMinutes }) =>
      callDrainFault({ maxCallDrainMinutes, stopTimeoutMinutes: liveKitStopMinutes }) &&
      `\`maxCallDrainMinutes\` must be at most 150 together with \`liveKitStopMinutes\`, got: ${maxCallDrainMinutes} + ${liveKitStopMinutes}; CloudFormation gives up after three hours: take 60 and 10`,
  ),
  rule(
    ['agentTasks', 'agentMaxTasks'],
    ({ agentTasks, agentMaxTasks }) =>
      agentMaxTasks !== undefined &&
      (agentTasks === 0 || agentMaxTasks < agentTasks) &&
      `\`agentMaxTasks\` must be \`agentTasks\` (${agentTasks}) or more, and that not 0, got: ${agentMaxTasks}; raise it, or remove it`,
  ),
  rule(['liveKitCapacity', 'liveKitCpu', 'liveKitMemoryMiB'], (given) => {
    if (given.liveKitCapacity !== 'fargate') return undefined;
    return fargateFault('liveKitCpu', given.liveKitCpu, 'liveKitMemoryMiB', given.liveKitMemoryMiB);
  }),
  needs('turnDomainName', 'domainName', 'CloudFront passes no TURN'),
  rule(
    ['turnDomainName', 'domainName'],
    ({ turnDomainName, domainName }) =>
      turnDomainName !== undefined &&
      turnDomainName === domainName &&
      `\`turnDomainName\` must be another name than \`domainName\`, got: ${shown(turnDomainName)}; each leads to a load balancer of its own`,
  ),
  rule(
    ['turnDomainName', 'hostedZoneName'],
    ({ turnDomainName, hostedZoneName }) =>
      turnDomainName !== undefined &&
      hostedZoneName !== undefined &&
      !turnDomainName.endsWith(`.${hostedZoneName}`) &&
      `\`turnDomainName\` must lie in \`hostedZoneName\` ${hostedZoneName}, got: ${shown(turnDomainName)}; change one of the two`,
  ),
  rule(
    ['agentMode', 'voiceApiSecretArn'],
    ({ agentMode, voiceApiSecretArn }) =>
      agentMode === 'voice' &&
      voiceApiSecretArn === undefined &&
      '`voiceApiSecretArn` must be set with `agentMode` voice, got: nothing; put the API’s key into a secret and name it, or take agentMode=echo, which needs none',
  ),
  ...(
    [
      'voiceApiSecretArn',
      'voiceApiUrl',
      'voiceSpeechToTextModel',
      'voiceLanguageModel',
      'voiceTextToSpeechModel',
      'voiceName',
      'voiceInstructions',
    ] as const
  ).map((knob) =>
    rule(
      [knob, 'agentMode'],
      (given) =>
        given[knob] !== undefined &&
        given.agentMode !== 'voice' &&
        `\`${knob}\` must stand beside \`agentMode\` voice, got: ${shown(given[knob])}; add -c agentMode=voice, or remove it`,
    ),
  ),
];
