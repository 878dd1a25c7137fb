/**
 * Makes the secrets of the Compose deployment at its first start, and gives each container what it needs, in a volume
 * that no other container mounts. It runs before the others at each start, as root, with no network.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const store = '/made/secrets.json';
/** The users as which the containers run. */
const users = { service: 1000, valkey: 999, liveKit: 65_534, agent: 1000 };
/** Not secret: it names the secret with which calls are signed. */
const apiKey = 'realtime';

const made = existsSync(store) ? JSON.parse(readFileSync(store, 'utf8')) : {};
for (const name of ['redisService', 'redisLiveKit', 'authSecret', 'serviceToken', 'liveKit'])
  made[name] ??= randomBytes(32).toString('hex');
write(store, JSON.stringify(made), 0);

const acl = readFileSync(new URL('users.acl', import.meta.url), 'utf8')
  .replace('<service>', sha256(made.redisService))
  .replace('<livekit>', sha256(made.redisLiveKit));
write('/valkey/users.acl', acl, users.valkey);

const liveKitKeys = { LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: made.liveKit };
writeVariables('/service/service.env', users.service, {
  REDIS_URL: `redis://app:${made.redisService}@valkey:6379`,
  AUTH_SECRET: made.authSecret,
  SERVICE_TOKEN: made.serviceToken,
  // Without the address of LiveKit there are no calls, and the service takes no key for them.
  ...(process.env.LIVEKIT_URL ? { LIVEKIT_API_URL: 'http://livekit-1:7880', ...liveKitKeys } : {}),
});
writeVariables('/livekit/livekit.env', users.liveKit, {
  LIVEKIT_KEYS: JSON.stringify({ [apiKey]: made.liveKit }),
  REDIS_PASSWORD: made.redisLiveKit,
});
writeVariables('/agent/agent.env', users.agent, liveKitKeys);

/** Values are quoted, as a shell and Node both read them. */
function writeVariables(file, owner, variables) {
  const lines = Object.entries(variables).map(([name, value]) => `${name}='${value}'`);
  write(file, `${lines.join('\n')}\n`, owner);
}

/** Whoever reads it meanwhile gets the old one or the new one, and nobody else may read it. */
function write(file, text, owner) {
  const next = `${file}.next`;
  writeFileSync(next, text, { mode: 0o400, flush: true });
  chownSync(next, owner, owner);
  renameSync(next, file);
}

function sha256(text) {
  return createHash('sha256').update(text).digest('hex');
}
