import { type CertificateDetail, DescribeCertificateCommand } from '@aws-sdk/client-acm';
import { GetHostedZoneCommand, ListResourceRecordSetsCommand } from '@aws-sdk/client-route-53';
import { cloudFrontRegion } from '../../../config/cloudfront-regions.ts';
import { passed } from '../../finding.ts';
import { ask } from '../aws.ts';
import type { Check, Plan } from '../check.ts';
import { deployedPermissions } from '../deployed.ts';
import { type Finding, failed, NotCheckedError, warned } from '../finding.ts';

const hostedZones = 'arn:aws:route53:::hostedzone/*';

/** The domain that clients use, with its certificate; undefined if CloudFront gives the name. */
const domainOf = ({ edge }: Plan['config']) => (edge.kind === 'domain' ? edge : edge.domain);

async function readZone({ aws, config }: Plan) {
  const id = config.hostedZone?.hostedZoneId;
  return ask(
    'route53:GetHostedZone',
    aws.route53.send(new GetHostedZoneCommand({ Id: id })),
    /^(NoSuchHostedZone|InvalidInput)/,
  );
}

export const hostedZone: Check = {
  name: 'dns-zone',
  permissions: { 'route53:GetHostedZone': hostedZones, ...deployedPermissions },
  applies: ({ config }) => config.hostedZone !== undefined,
  async run(plan) {
    const { hostedZoneId = '', zoneName = '' } = plan.config.hostedZone ?? {};
    const zone = await readZone(plan);
    const needed = `the public hosted zone ${zoneName}, in this account`;
    const fix =
      '`aws route53 list-hosted-zones` has the ids and names: set `hostedZoneId` and `hostedZoneName`';
    if (!zone) return failed({ found: `no hosted zone ${hostedZoneId} in this account`, needed, fix });
    const name = zone.HostedZone?.Name?.replace(/\.$/, '');
    if (name !== zoneName) return failed({ found: `${hostedZoneId} is ${name}`, needed, fix });
    if (zone.HostedZone?.Config?.PrivateZone)
      return failed({ found: `${hostedZoneId} is private: ACM can't validate in it`, needed, fix });
    return delegated(plan, zoneName, zone.DelegationSet?.NameServers ?? []);
  },
};

/**
 * A zone that nobody delegates to validates no certificate: a deployment waits for it for hours. One that has its
 * certificates is not held up, and the company's own DNS may know other servers than the world.
 */
async function delegated(plan: Plan, zoneName: string, own: readonly string[]): Promise<Finding> {
  const deployed = await plan.deployed();
  const complain = deployed?.count('AWS::CertificateManager::Certificate') ? warned : failed;
  const plain = (name: string) => name.toLowerCase().replace(/\.$/, '');
  const complaint = (found: string) =>
    complain({
      found,
      needed: `the world to ask Route 53’s servers, or ACM waits for its validation and the deployment with it`,
      fix: `at the registrar of the domain, or in the zone above, set the name servers (NS) of ${zoneName} to ${own.map(plain).join(', ')}`,
    });
  try {
    const servers = (await plan.resolveNs(zoneName)).map(plain);
    if (servers.some((name) => own.map(plain).includes(name)))
      return passed(`${zoneName}, delegated to ${servers.join(', ')}`);
    return complaint(`${zoneName} is delegated to ${servers.join(', ')}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTFOUND' || code === 'ENODATA') return complaint(`DNS knows no servers of ${zoneName}`);
    throw new NotCheckedError(`the name servers of ${zoneName} could not be asked for: ${code}`);
  }
}

export const records: Check = {
  name: 'dns-records',
  permissions: { 'route53:ListResourceRecordSets': hostedZones, ...deployedPermissions },
  applies: ({ config }) => config.hostedZone !== undefined,
  async run(plan) {
    const { config, aws } = plan;
    const names = [domainOf(config)?.domainName, config.turn?.domainName].filter(
      (name) => name !== undefined,
    );
    if ((await plan.deployed())?.count('AWS::Route53::RecordSet'))
      return passed(`the stack has its records: ${names.join(', ')}`);
    const taken: string[] = [];
    for (const name of names) {
      const response = await ask(
        'route53:ListResourceRecordSets',
        aws.route53.send(
          new ListResourceRecordSetsCommand({
            HostedZoneId: config.hostedZone?.hostedZoneId,
            StartRecordName: name,
            MaxItems: 20,
          }),
        ),
        /^(NoSuchHostedZone|InvalidInput)/,
      );
      if (!response) throw new NotCheckedError('there is no such hosted zone');
      for (const { Name, Type = '' } of response.ResourceRecordSets ?? [])
        if (Name === `${name}.` && ['A', 'AAAA', 'CNAME'].includes(Type)) taken.push(`${name} (${Type})`);
    }
    if (taken.length === 0) return passed(`no record stands in the way of ${names.join(', ')}`);
    return failed({
      found: `there are records already: ${taken.join(', ')}`,
      needed: 'none: CloudFormation creates them, and refuses to replace a record that it has not made',
      fix: `delete them in Route 53 when nothing uses them any more, or take another \`domainName\``,
    });
  },
};

/** https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html */
const amazon = ['amazon.com', 'amazontrust.com', 'awstrust.com', 'amazonaws.com'];

/** The CAA records of a name, or of the nearest name above it that has any. */
async function authoritiesOf({ resolveCaa }: Pick<Plan, 'resolveCaa'>, name: string): Promise<string[]> {
  try {
    const found = (await resolveCaa(name)).flatMap(({ issue }) => (issue === undefined ? [] : [issue]));
    if (found.length > 0) return found;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTFOUND' && code !== 'ENODATA')
      throw new NotCheckedError(`the CAA records of ${name} could not be asked for: ${code}`);
  }
  const above = name.slice(name.indexOf('.') + 1);
  return above.includes('.') ? authoritiesOf({ resolveCaa }, above) : [];
}

/** Names for which the stack requests a certificate. */
const requestedNames = ({ config }: Plan) =>
  [domainOf(config), config.turn].flatMap((of) => (of && !of.certificateArn ? [of.domainName] : []));

export const authorities: Check = {
  name: 'dns-caa',
  permissions: {},
  applies: (plan) => requestedNames(plan).length > 0,
  async run(plan) {
    const names = requestedNames(plan);
    for (const name of names) {
      const may = await authoritiesOf(plan, name);
      // Parameters may follow the authority's name.
      if (may.length > 0 && !may.some((issue) => amazon.includes(issue.split(';')[0]?.trim() ?? '')))
        return failed({
          found: `CAA records let only ${may.join(', ')} issue certificates for ${name}`,
          needed: 'Amazon among them, or ACM issues none and the deployment fails',
          fix: 'add the CAA record `0 issue "amazon.com"` beside them, or set `certificateArn`',
        });
    }
    return passed(`Amazon may issue certificates for ${names.join(', ')}`);
  },
};

/** `*.example.com` covers one label. */
const covers = (pattern: string, name: string) =>
  pattern === name || (pattern.startsWith('*.') && name.slice(name.indexOf('.')) === pattern.slice(1));

const month = 30 * 86_400_000;

export const certificate: Check = {
  name: 'certificate',
  permissions: { 'acm:DescribeCertificate': 'arn:aws:acm:*:*:certificate/*' },
  applies: ({ config }) => domainOf(config)?.certificateArn !== undefined,
  async run(plan) {
    const { config, aws, account } = plan;
    const arn = domainOf(config)?.certificateArn ?? '';
    const region = config.edge.kind === 'cloudfront' ? cloudFrontRegion : config.region;
    const names = [
      domainOf(config)?.domainName,
      config.turn?.certificateArn && config.turn.domainName,
    ].filter((name): name is string => Boolean(name));
    const request = `\`aws acm request-certificate --region ${region} --validation-method DNS --domain-name ${names[0]}${names[1] ? ` --subject-alternative-names ${names[1]}` : ''}\`, create the records that it names, and set \`certificateArn\``;
    const needed = `a certificate of this account, issued, for ${names.join(' and ')}`;
    if (arn.split(':')[4] !== account)
      return failed({ found: `${arn} is in the account ${arn.split(':')[4]}`, needed, fix: request });
    const response = await ask(
      'acm:DescribeCertificate',
      aws.certificates(region).send(new DescribeCertificateCommand({ CertificateArn: arn })),
      /^ResourceNotFound/,
    );
    if (!response?.Certificate) return failed({ found: `${arn} does not exist`, needed, fix: request });
    return judgeCertificate(response.Certificate, names, needed, request);
  },
};

function judgeCertificate(
  found: CertificateDetail,
  names: readonly string[],
  needed: string,
  request: string,
): Finding {
  const { Status, DomainName = '', SubjectAlternativeNames = [], NotAfter, InUseBy = [] } = found;
  if (Status === 'PENDING_VALIDATION')
    return failed({
      found: 'it waits for its validation',
      needed,
      fix: `create these records: ${(found.DomainValidationOptions ?? []).map(({ ResourceRecord }) => `${ResourceRecord?.Name} ${ResourceRecord?.Type} ${ResourceRecord?.Value}`).join('; ')}`,
    });
  if (Status !== 'ISSUED') return failed({ found: `it is ${Status}`, needed, fix: request });
  const covered = [DomainName, ...SubjectAlternativeNames];
  const bare = names.filter((name) => !covered.some((pattern) => covers(pattern, name)));
  if (bare.length > 0)
    return failed({
      found: `it covers ${[...new Set(covered)].join(', ')}, not ${bare.join(', ')}`,
      needed,
      fix: request,
    });
  const expires = NotAfter?.toISOString().slice(0, 10);
  if (NotAfter && NotAfter.getTime() < Date.now() + month)
    return warned({
      found: `it expires on ${expires}${found.Type === 'IMPORTED' ? ', and was imported: ACM does not renew it' : ''}`,
      needed: 'one that lasts',
      fix:
        found.Type === 'IMPORTED'
          ? 'import the new one under the same ARN: `aws acm import-certificate --certificate-arn …`'
          : 'check that its validation records are still in DNS, by which ACM renews it',
    });
  return passed(
    `${[...new Set(covered)].join(', ')}, until ${expires}${InUseBy.length > 0 ? ', in use' : ''}`,
  );
}
