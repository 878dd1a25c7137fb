import { pingIntervalMs } from '../../app/names.ts';
import { defaultRetention } from '../../app/server/rooms/log/retention.ts';
import { callRules } from './call-rules.ts';
import { cloudFrontPrefixLists, cloudFrontRegion } from './cloudfront-regions.ts';
import { isInferenceProfile, usesCloudFront } from './groups.ts';
import { needs, type Rule, rule, shown } from './rule.ts';
import { fargateFault, mostCacheNodes } from './sizes.ts';

/** Socket.IO's default `pingTimeout` in seconds: how long each side waits for a heartbeat of the other. */
const pingTimeoutSeconds = 20;
const heartbeatSeconds = pingIntervalMs / 1000 + pingTimeoutSeconds;

const requestThere = (domainName: string) =>
  `\`aws acm request-certificate --region ${cloudFrontRegion} --validation-method DNS --domain-name ${domainName}\`, create the record that ACM names, and give the ARN`;

const minutesOf = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

/** Rules between knobs. Each fault names the knob, its value, and what to do. */
export const rules: readonly Rule[] = [
  rule(['backplane', 'minTasks', 'maxTasks'], ({ backplane, minTasks, maxTasks }) => {
    const tasks = Math.max(minTasks, maxTasks ?? 0);
    return (
      (backplane === 'none' || backplane === 'bypassed') &&
      tasks > 1 &&
      `\`minTasks\` must be 1 without a backplane, and \`maxTasks\` too, got: ${tasks}; instances that share nothing lose each other's rooms: add -c minTasks=1, or take backplane=elasticache`
    );
  }),
  rule(
    ['minTasks', 'maxTasks'],
    ({ minTasks, maxTasks = minTasks }) =>
      maxTasks < minTasks &&
      `\`maxTasks\` must be \`minTasks\` (${minTasks}) or more, got: ${maxTasks}; raise it, or remove it`,
  ),
  rule(
    ['minTasks', 'maxTasks'],
    ({ minTasks, maxTasks }) =>
      minTasks === 0 &&
      maxTasks !== undefined &&
      `\`maxTasks\` must be left out while \`minTasks\` is 0, got: ${maxTasks}; without a task there is no load to scale on: remove it, or take -c minTasks=1`,
  ),
  rule(
    ['idleTimeoutSeconds'],
    ({ idleTimeoutSeconds }) =>
      idleTimeoutSeconds <= heartbeatSeconds &&
      `\`idleTimeoutSeconds\` must be above Socket.IO's heartbeat of ${heartbeatSeconds} s, got: ${idleTimeoutSeconds}; below it the load balancer cuts living sockets: take 120`,
  ),
  rule(['cpu', 'memoryMiB'], ({ cpu, memoryMiB }) => fargateFault('cpu', cpu, 'memoryMiB', memoryMiB)),

  rule(['region', 'availabilityZones'], ({ region, availabilityZones = [] }) => {
    const foreign = availabilityZones.filter((name) => name.slice(0, -1) !== region);
    return (
      foreign.length > 0 &&
      `\`availabilityZones\` must lie in \`region\` ${region}, got: ${foreign.join(', ')}; change one of the two`
    );
  }),
  rule(['natGateways', 'availabilityZones', 'availabilityZoneCount', 'vpcId'], (given) => {
    const zones = given.availabilityZones?.length ?? given.availabilityZoneCount;
    return (
      !given.vpcId &&
      given.natGateways > zones &&
      `\`natGateways\` must be at most the number of zones (${zones}), got: ${given.natGateways}; take ${zones}`
    );
  }),
  rule(
    ['privateLink', 'vpcId'],
    ({ privateLink, vpcId }) =>
      privateLink &&
      vpcId !== undefined &&
      '`privateLink` must be false with `vpcId`, got: true; whoever owns that VPC gives it endpoints: remove it',
  ),
  needs('vpcId', 'availabilityZones', 'name the zones of its subnets, because nothing is looked up'),
  needs('vpcId', 'privateSubnetIds', 'name the subnets for tasks'),
  needs('privateSubnetIds', 'vpcId', 'a new VPC creates its own subnets'),
  needs('publicSubnetIds', 'vpcId', 'a new VPC creates its own subnets'),
  needs('isolatedSubnetIds', 'vpcId', 'a new VPC creates its own subnets'),
  ...(['publicSubnetIds', 'privateSubnetIds', 'isolatedSubnetIds'] as const).map((kind) =>
    rule([kind, 'availabilityZones'], (given) => {
      const { [kind]: ids, availabilityZones: zones } = given;
      return (
        ids &&
        zones &&
        ids.length !== zones.length &&
        `\`${kind}\` must hold one subnet for each of \`availabilityZones\` (${zones.length}), got: ${ids.length}; in the same order`
      );
    }),
  ),
  rule(
    ['vpcId', 'domainName', 'cloudFront', 'publicSubnetIds'],
    (given) =>
      given.vpcId !== undefined &&
      !usesCloudFront(given) &&
      !given.publicSubnetIds &&
      '`publicSubnetIds` must be named for a public load balancer in `vpcId`, got: nothing; name them, or take cloudFront=true',
  ),

  rule(
    ['backplane', 'redisAddress'],
    ({ backplane, redisAddress }) =>
      backplane === 'existing' &&
      redisAddress === undefined &&
      '`redisAddress` must be set with `backplane` existing, got: nothing; write host:port of the primary',
  ),
  ...(['redisAddress', 'redisSecurityGroupId', 'redisSecretArn'] as const).map((knob) =>
    rule(
      [knob, 'backplane'],
      (given) =>
        given[knob] !== undefined &&
        given.backplane !== 'existing' &&
        `\`${knob}\` must stand beside \`backplane\` existing, got: ${shown(given[knob])}; add -c backplane=existing, or remove it`,
    ),
  ),
  rule(
    ['redisAddress'],
    ({ redisAddress = '' }) =>
      /\.serverless\./.test(redisAddress) &&
      `\`redisAddress\` must not be that of ElastiCache Serverless, got: ${shown(redisAddress)}; it evicts keys (volatile-lru, which can't be changed), and an evicted log would be a gap that nobody notices: make a replication group`,
  ),
  rule(
    ['redisAddress', 'redisTls'],
    ({ redisAddress = '', redisTls }) =>
      !redisTls &&
      /^(master|clustercfg)\..+\.cache\.amazonaws\.com/.test(redisAddress) &&
      `\`redisTls\` must be true for ${redisAddress}, got: false; ElastiCache's names begin with \`master.\` or \`clustercfg.\` where TLS is on`,
  ),
  rule(
    ['cacheFailover', 'cacheReplicas'],
    ({ cacheFailover, cacheReplicas }) =>
      cacheFailover === true &&
      cacheReplicas === 0 &&
      '`cacheFailover` must be absent with `cacheReplicas` 0, got: true; there is no node that could take over: take cacheReplicas=1',
  ),
  rule(
    ['cacheShards', 'backplane'],
    ({ cacheShards, backplane }) =>
      cacheShards > 1 &&
      (backplane === 'existing' || backplane === 'none') &&
      `\`cacheShards\` must be 1 with \`backplane\` ${backplane}, got: ${cacheShards}; it is about the cache that the stack creates${backplane === 'existing' ? ', and an existing Redis says itself that it is a cluster' : ''}: remove it`,
  ),
  rule(
    ['cacheShards'],
    ({ cacheShards }) =>
      cacheShards === 2 &&
      '`cacheShards` must be 1, or 3 or more, got: 2; of two primaries none is a majority, so that no replica would take over from one that fails: take 3',
  ),
  rule(
    ['cacheShards', 'cacheReplicas'],
    ({ cacheShards, cacheReplicas }) =>
      cacheShards > 1 &&
      cacheReplicas === 0 &&
      `\`cacheReplicas\` must be 1 or more with \`cacheShards\` ${cacheShards}, got: 0; a shard without a replica loses its rooms with its node: take cacheReplicas=1`,
  ),
  rule(['cacheShards', 'cacheReplicas'], ({ cacheShards, cacheReplicas }) => {
    const most = Math.floor(mostCacheNodes / (1 + cacheReplicas));
    return (
      cacheShards > Math.max(1, most) &&
      cacheReplicas > 0 &&
      `\`cacheShards\` must be at most ${most} with \`cacheReplicas\` ${cacheReplicas}, got: ${cacheShards}; ElastiCache's quota is ${mostCacheNodes} nodes in a cluster: take bigger nodes, or a second stack for some of the rooms`
    );
  }),
  rule(
    ['cacheShards', 'cacheFailover'],
    ({ cacheShards, cacheFailover }) =>
      cacheShards > 1 &&
      cacheFailover === false &&
      `\`cacheFailover\` must be absent with \`cacheShards\` ${cacheShards}, got: false; ElastiCache has no cluster without failover: remove it`,
  ),
  needs('redisSecurityGroupId', 'vpcId', 'a group can be named from its own VPC only'),
  rule(['cacheMaintenanceWindow'], ({ cacheMaintenanceWindow: window }) => {
    const [start, end] = window.split('-').map((moment) => minutesOf(moment.slice(4))) as [number, number];
    const lasts = (end - start + 24 * 60) % (24 * 60);
    if (lasts < 60)
      return `\`cacheMaintenanceWindow\` must last an hour or more, got: ${shown(window)}; write sun:04:00-sun:05:00`;
    return (
      start < 180 &&
      start + lasts > 120 &&
      `\`cacheMaintenanceWindow\` must not meet the snapshot's window 02:00-03:00, got: ${shown(window)}; take sun:04:00-sun:05:00`
    );
  }),

  rule(
    ['domainName', 'cloudFront'],
    ({ domainName, cloudFront }) =>
      cloudFront === false &&
      domainName === undefined &&
      '`cloudFront` must be true or absent without `domainName`, got: false; a load balancer has no certificate without a domain: set one',
  ),
  rule(
    ['domainName', 'cloudFront', 'region'],
    ({ domainName, cloudFront, region }) =>
      domainName !== undefined &&
      cloudFront === true &&
      !(region in cloudFrontPrefixLists) &&
      `\`cloudFront\` must be false or absent in \`region\` ${region}, got: true; CloudFront can't stand before a load balancer or write its log there: take one of ${Object.keys(cloudFrontPrefixLists).join(', ')}`,
  ),
  rule(
    ['domainName', 'region'],
    ({ domainName, region }) =>
      domainName === undefined &&
      !(region in cloudFrontPrefixLists) &&
      `\`domainName\` must be set in \`region\` ${region}, got: nothing; CloudFront can't stand before a load balancer or write its log there: take a domain, or one of ${Object.keys(cloudFrontPrefixLists).join(', ')}`,
  ),
  rule(
    ['domainName', 'certificateArn', 'hostedZoneId'],
    ({ domainName, certificateArn, hostedZoneId }) =>
      domainName !== undefined &&
      !certificateArn &&
      !hostedZoneId &&
      `\`domainName\` must stand beside \`hostedZoneId\` or \`certificateArn\`, got: ${shown(domainName)}; without one of them there is no certificate`,
  ),
  needs('certificateArn', 'domainName', 'name the domain that it covers'),
  needs('hostedZoneId', 'domainName', 'name the domain in it'),
  needs('hostedZoneId', 'hostedZoneName', 'set both, because nothing is looked up'),
  needs('hostedZoneName', 'hostedZoneId', 'set both, because nothing is looked up'),
  rule(
    ['domainName', 'hostedZoneName'],
    ({ domainName, hostedZoneName }) =>
      domainName !== undefined &&
      hostedZoneName !== undefined &&
      domainName !== hostedZoneName &&
      !domainName.endsWith(`.${hostedZoneName}`) &&
      `\`domainName\` must lie in \`hostedZoneName\` ${hostedZoneName}, got: ${shown(domainName)}; change one of the two`,
  ),
  rule(
    ['region', 'domainName', 'cloudFront', 'certificateArn'],
    ({ region, certificateArn, ...given }) =>
      certificateArn !== undefined &&
      !usesCloudFront(given) &&
      certificateArn.split(':')[3] !== region &&
      `\`certificateArn\` must name a certificate in \`region\` ${region}, got: ${shown(certificateArn)}; a load balancer takes certificates of its own region only: request one there`,
  ),
  // https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
  rule(
    ['domainName', 'cloudFront', 'certificateArn'],
    ({ certificateArn, ...given }) =>
      certificateArn !== undefined &&
      given.domainName !== undefined &&
      usesCloudFront(given) &&
      certificateArn.split(':')[3] !== cloudFrontRegion &&
      `\`certificateArn\` must name a certificate in ${cloudFrontRegion} for CloudFront, got: ${shown(certificateArn)}; ${requestThere(given.domainName)}`,
  ),
  // The CDK could create it in a second stack and pass it on by `crossRegionReferences`. These are experimental, and what
  // they have passed on can't be replaced or removed while it is in use (aws-cdk#22842, aws-cdk#27902).
  rule(
    ['region', 'domainName', 'cloudFront', 'certificateArn', 'hostedZoneId'],
    ({ region, certificateArn, hostedZoneId, ...given }) =>
      certificateArn === undefined &&
      hostedZoneId !== undefined &&
      given.domainName !== undefined &&
      usesCloudFront(given) &&
      region !== cloudFrontRegion &&
      `\`certificateArn\` must name a certificate in ${cloudFrontRegion} for CloudFront, got: nothing; a stack in ${region} can't create one there: ${requestThere(given.domainName)}`,
  ),
  rule(
    ['region', 'kmsKeyArn'],
    ({ region, kmsKeyArn }) =>
      kmsKeyArn !== undefined &&
      kmsKeyArn.split(':')[3] !== region &&
      `\`kmsKeyArn\` must name a key in \`region\` ${region}, got: ${shown(kmsKeyArn)}; services take keys of their own region only: create one there`,
  ),
  rule(
    ['wafWebAclArn', 'waf', 'domainName', 'cloudFront'],
    ({ wafWebAclArn, waf, ...given }) =>
      wafWebAclArn !== undefined &&
      (!waf || !usesCloudFront(given)) &&
      `\`wafWebAclArn\` must stand beside \`waf\` true and CloudFront, got: ${shown(wafWebAclArn)}; it is for CloudFront only, the stack creates the load balancer's web ACL itself`,
  ),
  rule(
    ['wafWebAclArn', 'region'],
    ({ wafWebAclArn, region }) =>
      wafWebAclArn !== undefined &&
      region === cloudFrontRegion &&
      `\`wafWebAclArn\` must be absent in ${cloudFrontRegion}, got: ${shown(wafWebAclArn)}; the stack creates the web ACL itself there`,
  ),

  rule(
    ['modelProvider', 'modelId'],
    ({ modelProvider, modelId }) =>
      modelProvider === 'bedrock' &&
      modelId === undefined &&
      '`modelId` must be set with `modelProvider` bedrock, got: nothing; write the id of a model of your account',
  ),
  rule(
    ['modelProvider', 'modelId'],
    ({ modelProvider, modelId }) =>
      modelProvider !== 'bedrock' &&
      modelId !== undefined &&
      `\`modelId\` must stand beside \`modelProvider\` bedrock, got: ${shown(modelId)}; add -c modelProvider=bedrock, or remove it`,
  ),
  rule(
    ['modelId', 'modelRegions'],
    ({ modelId, modelRegions }) =>
      modelId !== undefined &&
      isInferenceProfile(modelId) &&
      modelRegions === undefined &&
      `\`modelRegions\` must name the regions of the inference profile ${modelId}, got: nothing; \`aws bedrock get-inference-profile --inference-profile-identifier ${modelId}\` lists them`,
  ),
  ...(['pythonSocketio', 'emitter'] as const).flatMap((knob) => [
    rule([knob, 'backplane'], (given) => {
      const { backplane } = given;
      return (
        given[knob] !== undefined &&
        backplane === 'none' &&
        `\`${knob}\` must be absent with \`backplane\` none, got: ${shown(given[knob])}; what it names is heard in Redis`
      );
    }),
    rule([knob, 'mainHub'], (given) => {
      const { mainHub } = given;
      return (
        given[knob]?.split(',').some((each) => each.startsWith('/=')) &&
        mainHub !== true &&
        `\`${knob}\` must not name the namespace / without \`mainHub\`, got: ${shown(given[knob])}; set mainHub=true`
      );
    }),
  ]),
  rule(['roomLogSeconds', 'roomMetaSeconds'], (given) => {
    const logSeconds = given.roomLogSeconds ?? defaultRetention.maxAgeMs / 1_000;
    const metaSeconds = given.roomMetaSeconds ?? defaultRetention.metaAgeMs / 1_000;
    return (
      metaSeconds <= logSeconds &&
      `\`roomMetaSeconds\` must be above \`roomLogSeconds\` (${logSeconds}), got: ${metaSeconds}; a room whose epochs expire before its messages would pass for a new one: take ${defaultRetention.metaAgeMs / 1_000}`
    );
  }),
  ...callRules,

  needs('authIssuer', 'authJwksUrl', 'tokens that the stack’s own secret signs do not have it'),
  needs('authAudience', 'authJwksUrl', 'tokens that the stack’s own secret signs do not have it'),
  needs('authSubjectClaim', 'authJwksUrl', 'tokens that the stack’s own secret signs have `sub`'),
  needs('authNameClaim', 'authJwksUrl', 'tokens that the stack’s own secret signs have `name`'),
];
