/**
 * The managed prefix list `com.amazonaws.global.cloudfront.origin-facing` of each region, as of 2026-11. A look-up
 * would need an account at synth. A region is absent where CloudFront can't write its log to a bucket of the region.
 *
 * `aws ec2 describe-managed-prefix-lists --filters Name=prefix-list-name,Values=com.amazonaws.global.cloudfront.origin-facing`
 */
export const cloudFrontPrefixLists: Readonly<Record<string, string>> = {
  'ap-northeast-1': 'pl-58a04531',
  'ap-northeast-2': 'pl-22a6434b',
  'ap-northeast-3': 'pl-31a14458',
  'ap-south-1': 'pl-9aa247f3',
  'ap-southeast-1': 'pl-31a34658',
  'ap-southeast-2': 'pl-b8a742d1',
  'ca-central-1': 'pl-38a64351',
  'eu-central-1': 'pl-a3a144ca',
  'eu-north-1': 'pl-fab65393',
  'eu-west-1': 'pl-4fa04526',
  'eu-west-2': 'pl-93a247fa',
  'eu-west-3': 'pl-75b1541c',
  'sa-east-1': 'pl-5da64334',
  'us-east-1': 'pl-3b927c52',
  'us-east-2': 'pl-b6a144df',
  'us-west-1': 'pl-4ea04527',
  'us-west-2': 'pl-82a045eb',
};

/**
 * Zones, by id, in which CloudFront has no VPC origins, as of 2026-11. The letters of zones differ between accounts.
 *
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-vpc-origins.html#vpc-origins-supported-regions
 */
export const zonesWithoutVpcOrigins: ReadonlySet<string> = new Set([
  'apne1-az3',
  'apne2-az1',
  'cac1-az3',
  'use1-az3',
  'usw1-az2',
]);

/** CloudFront's own resources, such as its web ACLs and their alarms, live here alone. */
export const cloudFrontRegion = 'us-east-1';
