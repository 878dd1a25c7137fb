import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as route53 from 'aws-cdk-lib/aws-route53';
import type { Construct } from 'constructs';

/** A domain name, and how its certificate and its DNS record come about. */
export interface DomainProps {
  /** Name that clients use. */
  readonly domainName: string;

  /**
   * Hosted zone in which the certificate is validated and the DNS record is created.
   * @default - `certificateArn` is used, and the owner of the domain creates the record
   */
  readonly hostedZone?: route53.IHostedZone;

  /**
   * A certificate for `domainName` that exists, in the region of the load balancer, or in us-east-1 for CloudFront.
   * @default - a new certificate is validated in `hostedZone`
   */
  readonly certificateArn?: string;
}

/** @throws Error if there is neither a certificate nor a zone in which to validate one */
export function certificateFor(scope: Construct, { domainName, hostedZone, certificateArn }: DomainProps) {
  if (certificateArn) return acm.Certificate.fromCertificateArn(scope, 'Certificate', certificateArn);
  if (!hostedZone)
    throw new Error(
      `\`domainName\` must stand beside \`hostedZone\` or \`certificateArn\`, got: ${domainName}`,
    );
  return new acm.Certificate(scope, 'ValidatedCertificate', {
    domainName,
    validation: acm.CertificateValidation.fromDns(hostedZone),
  });
}

/** Creates the DNS record, if the hosted zone is known. @param hasIpv6 whether the target has IPv6 addresses, too */
export function addDnsRecord(
  scope: Construct,
  { domainName, hostedZone }: DomainProps,
  alias: route53.IAliasRecordTarget,
  hasIpv6 = false,
) {
  if (!hostedZone) return;
  const record = {
    zone: hostedZone,
    target: route53.RecordTarget.fromAlias(alias),
    // Without the final dot, the CDK would treat the name as relative to the zone.
    recordName: `${domainName}.`,
  };
  new route53.ARecord(scope, 'Name', record);
  if (hasIpv6) new route53.AaaaRecord(scope, 'NameIpv6', record);
}
