import { agentEnvironment } from '../../livekit/agent/names.ts';
import { callDrainFault } from '../../livekit/config/call-drain.ts';
import { cloudFrontRegion } from './cloudfront-regions.ts';
import { usesCloudFront } from './groups.ts';
import { needs, type Rule, rule, shown } from './rule.ts';
import { fargateFault, isClusterEndpoint } from './sizes.ts';

/** The variables of the voice agent that other knobs decide. */
const isSetByStack = (name: string) => {
  const { logLevel, loadThreshold, voiceApiTimeoutSeconds, failureNotice, ...set } = agentEnvironment;
  return (Object.values(set) as string[]).includes(name);
};

/** Rules between the knobs of calls. */
export const callRules: readonly Rule[] = [
  rule(
    ['vpcId', 'liveKitNodes', 'publicSubnetIds'],
    ({ vpcId, liveKitNodes, publicSubnetIds }) =>
      vpcId !== undefined &&
      liveKitNodes > 0 &&
      !publicSubnetIds &&
      `\`publicSubnetIds\` must be named for LiveKit in \`vpcId\`, got: nothing; browsers exchange media with its hosts directly`,
  ),
  rule(
    ['liveKitNodes', 'backplane'],
    ({ liveKitNodes, backplane }) =>
      liveKitNodes > 1 &&
      backplane === 'none' &&
      `\`liveKitNodes\` must be at most 1 without a backplane, got: ${liveKitNodes}; nodes find each other's rooms through Redis`,
  ),
  rule(
    ['liveKitCacheNodeType', 'cacheShards', 'liveKitNodes'],
    ({ liveKitCacheNodeType, cacheShards, liveKitNodes }) =>
      liveKitCacheNodeType !== undefined &&
      (cacheShards === 1 || liveKitNodes === 0) &&
      `\`liveKitCacheNodeType\` must stand beside \`liveKitNodes\` and 3 \`cacheShards\` or more, got: ${shown(liveKitCacheNodeType)}; else LiveKit has no cache of its own: remove it`,
  ),
  rule(
    ['redisAddress', 'liveKitNodes'],
    ({ redisAddress = '', liveKitNodes }) =>
      isClusterEndpoint(redisAddress) &&
      liveKitNodes > 0 &&
      `\`redisAddress\` must be a primary endpoint with cluster mode off if there is LiveKit, got: ${shown(redisAddress)}; LiveKit's scripts reach over slots (CROSSSLOT): take backplane=elasticache, where LiveKit has a cache of its own beside a cluster`,
  ),
  rule(
    ['liveKitNodes', 'liveKitMaxNodes'],
    ({ liveKitNodes, liveKitMaxNodes }) =>
      liveKitMaxNodes !== undefined &&
      (liveKitMaxNodes < liveKitNodes || (liveKitMaxNodes > liveKitNodes && liveKitNodes < 2)) &&
      `\`liveKitMaxNodes\` must be \`liveKitNodes\` (${liveKitNodes}) or more, with 2 of those at least, got: ${liveKitMaxNodes}; the calls of a node that dies need another node at once: take liveKitNodes=2`,
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
  rule(
    ['liveKitNodes', 'liveKitCapacity', 'liveKitInstanceType'],
    ({ liveKitNodes, liveKitCapacity, liveKitInstanceType: type }) =>
      liveKitNodes > 0 &&
      liveKitCapacity === 'ec2' &&
      /\.(nano|micro)$/.test(type) &&
      `\`liveKitInstanceType\` must have 2 GiB of memory or more, got: ${shown(type)}; ECS would find no host that is large enough for a node, and wait: take c7g.xlarge, or t4g.small to try`,
  ),
  rule(['liveKitCapacity', 'liveKitCpu', 'liveKitMemoryMiB'], (given) => {
    if (given.liveKitCapacity !== 'fargate') return undefined;
    return fargateFault('liveKitCpu', given.liveKitCpu, 'liveKitMemoryMiB', given.liveKitMemoryMiB);
  }),
  needs('agentHealthCommand', 'agentImageUri', 'this repository’s own agent has a check of its own'),
  rule(['agentEnvironment', 'agentSecrets'], ({ agentEnvironment: plain = {}, agentSecrets = {} }) => {
    const given = [...Object.keys(plain), ...Object.keys(agentSecrets)];
    const taken = given.filter((name, index) => isSetByStack(name) || given.indexOf(name) < index);
    return (
      taken.length > 0 &&
      `\`agentEnvironment\` must name each variable once together with \`agentSecrets\`, and none that the stack sets itself, got: ${taken.join(', ')}; other knobs set those`
    );
  }),
  needs('turnDomainName', 'domainName', 'CloudFront passes no TURN'),
  rule(
    ['turnDomainName', 'turn', 'domainName', 'cloudFront', 'hostedZoneId', 'region'],
    ({ turnDomainName, turn, hostedZoneId, region, ...given }) =>
      turn &&
      turnDomainName !== undefined &&
      given.domainName !== undefined &&
      hostedZoneId === undefined &&
      usesCloudFront(given) &&
      region !== cloudFrontRegion &&
      `\`turnDomainName\` must stand beside \`hostedZoneId\` in \`region\` ${region}, got: ${shown(turnDomainName)}; its load balancer can't take CloudFront's certificate, which is in ${cloudFrontRegion}: name the hosted zone, or take turn=false`,
  ),
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
