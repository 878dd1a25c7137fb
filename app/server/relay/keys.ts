import { redisName } from '../redis/keys.ts';

/** @param instance whose relay listener's address it holds */
export function addressKey(deployment: string, instance: string): string {
  return redisName(deployment, 'relay', 'address', instance);
}

/** @param period in which what is signed with it is made */
export function signingKeyOf(deployment: string, period: number): string {
  return redisName(deployment, 'relay', 'key', String(period));
}
