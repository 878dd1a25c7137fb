import { z } from 'zod';
import { type RedisSetting, RedisSettingError } from './setting.ts';

const namedUser = z.object({ username: z.string().min(1).optional(), password: z.string().min(1) });

/**
 * Puts a secret's user and password in place of the setting's own.
 *
 * @param text JSON `{"username": …, "password": …}` with the user optional, or a password as it is
 * @throws RedisSettingError that names the secret and never its value
 */
export function withCredentials(setting: RedisSetting, text: string, secretId: string): RedisSetting {
  return { ...setting, ...credentialsIn(text, secretId) };
}

function credentialsIn(text: string, secretId: string): { username?: string; password: string } {
  if (text.trim() === '') throw new RedisSettingError(`the secret ${secretId} is empty`);
  if (!text.trimStart().startsWith('{')) return { password: text.trim() };
  const parsed = namedUser.safeParse(jsonOrUndefined(text));
  if (!parsed.success) {
    throw new RedisSettingError(
      `the secret ${secretId} must be a password, or JSON with \`password\` and perhaps \`username\``,
    );
  }
  const { username, password } = parsed.data;
  return { ...(username === undefined ? {} : { username }), password };
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
