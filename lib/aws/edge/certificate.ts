import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as route53 from 'aws-cdk-lib/aws-route53';
import type { Construct } from 'constructs';

/** A name that clients use, and who vouches for it. */
export interface OwnName {
  /** Name that clients use. */
  readonly domainName: string;

  /**
   * Zone in which the certificate is validated and the name is set.
   * @default - `certificateArn`, and a DNS record that is the caller's
   */
  readonly hostedZone?: route53.IHostedZone;

  /**
   * A certificate of the load balancer's region that covers `domainName`.
   * @default - one that is validated in `hostedZone`
   */
  readonly certificateArn?: string;
}

/** @throws Error where nothing can vouch for the name */
export function certificateFor(scope: Construct, { domainName, hostedZone, certificateArn }: OwnName) {
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

/** Sets the name, where the zone is known. */
export function nameIn(
  scope: Construct,
  { domainName, hostedZone }: OwnName,
  alias: route53.IAliasRecordTarget,
) {
  if (!hostedZone) return;
  new route53.ARecord(scope, 'Name', {
    zone: hostedZone,
    target: route53.RecordTarget.fromAlias(alias),
    // The dot keeps the CDK from taking the name for one relative to the zone.
    recordName: `${domainName}.`,
  });
}
