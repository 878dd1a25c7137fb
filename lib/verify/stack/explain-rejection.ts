import { CheckFailure } from '../check.ts';

/** Explains an error of AWS, or of the SDK before it sends a request. */
export function explainRejection(error: unknown, asked: string): CheckFailure {
  const { name, message } = error as Error;
  return new CheckFailure({ found: `${asked}: ${name}: ${message}`, ...causeOf(name, message) });
}

function causeOf(name: string, message: string): { cause: string; fix: string } {
  if (/CredentialsProvider|ExpiredToken|UnrecognizedClient|InvalidClientTokenId/.test(name))
    return {
      cause: 'no AWS credentials that are valid now',
      fix: 'log in (`aws sso login`), or set AWS_PROFILE; leave out --stack to verify without AWS',
    };
  if (/Region is missing/.test(message))
    return { cause: 'no region', fix: 'set AWS_REGION to the region of the stack' };
  if (/AccessDenied|UnauthorizedOperation/.test(name))
    return {
      cause: 'these credentials may not ask this',
      fix: 'take a role that may read: ReadOnlyAccess is enough',
    };
  if (/does not exist/.test(message))
    return {
      cause: 'another region or account, or another name',
      fix: 'compare with `aws cloudformation list-stacks`, and set AWS_REGION',
    };
  return { cause: 'AWS did not answer', fix: 'try again; see https://health.aws.amazon.com' };
}
