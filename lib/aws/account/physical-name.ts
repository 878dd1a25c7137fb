import { Names } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * A name that no other stack of the account uses: it begins with the stack's name and goes on with the construct's
 * path. The CDK's own default for some resources is the path alone, which is the same for every stack of an app, and
 * the second stack then fails or shares the resource.
 *
 * @param maxLength in characters; of a longer name the middle is left out
 */
export function physicalName(construct: IConstruct, maxLength: number): string {
  return Names.uniqueResourceName(construct, { maxLength, separator: '-', allowedSpecialCharacters: '-' });
}
