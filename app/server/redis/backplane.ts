import type { Logger } from 'pino';
import { RedisLink } from './link.ts';
import type { RedisSetting } from './setting.ts';
import { type RedisSources, type ResolvedSetting, resolveRedisSetting } from './source.ts';

/** `starting` until the first join; `degraded` while a backplane that was joined is away. */
export type BackplaneStatus = 'single-instance' | 'starting' | 'joined' | 'degraded';

/** What joins this instance to the others, or says that there are none. */
export interface Backplane {
  status(): BackplaneStatus;
  /** Absent in single-instance mode. */
  readonly links?: BackplaneLinks;
  close(): Promise<void>;
}

export interface BackplaneLinks {
  /** Commands: publishes, appends, reads. */
  readonly commands: RedisLink;
  /** Subscriptions only: a connection that subscribes takes no other command. */
  readonly subscriptions: RedisLink;
}

export interface BackplaneOptions {
  readonly sources: RedisSources;
  readonly instance: string;
  readonly log: Logger;
}

/**
 * Finds the Redis setting and starts to connect; does not wait for the connection.
 * @throws RedisSettingError when the setting can't be read at boot
 */
export async function openBackplane(options: BackplaneOptions): Promise<Backplane> {
  const { log } = options;
  const first = await resolveRedisSetting(options.sources);
  if (first.kind === 'none') {
    log.info(`backplane: none (${first.source}); single-instance mode, other instances are not seen`);
    return { status: () => 'single-instance', close: async () => undefined };
  }
  return connectBackplane(options, first);
}

type RedisFound = Extract<ResolvedSetting, { kind: 'redis' }>;

function connectBackplane({ sources, instance, log }: BackplaneOptions, first: RedisFound): Backplane {
  const resolve = () => settingOf(sources);
  const links: BackplaneLinks = {
    commands: new RedisLink({ name: `${instance}:commands`, resolve, log }),
    subscriptions: new RedisLink({ name: `${instance}:subscriptions`, resolve, log }),
  };
  let joinedOnce = false;
  const bothUp = () =>
    links.commands.connection !== undefined && links.subscriptions.connection !== undefined;
  const onUp = () => {
    if (!bothUp()) return;
    log.info(`backplane: ${joinedOnce ? 'joined again' : describe(first)}`);
    joinedOnce = true;
  };
  links.commands.on('up', onUp);
  links.subscriptions.on('up', onUp);
  links.commands.start();
  links.subscriptions.start();
  return {
    links,
    status: () => (bothUp() ? 'joined' : joinedOnce ? 'degraded' : 'starting'),
    close: async () => {
      await Promise.all([links.commands.close(), links.subscriptions.close()]);
    },
  };
}

/** A setting that turned into `none` under a running service is a mistake until it is restarted. */
async function settingOf(sources: RedisSources): Promise<RedisSetting> {
  const found = await resolveRedisSetting(sources);
  if (found.kind === 'redis') return found.setting;
  throw new Error(`${found.source} now; restart the service to run it without a backplane.`);
}

function describe({ source, setting }: RedisFound): string {
  const hosts = setting.endpoints.map(({ host, port }) => `${host}:${port}`).join(',');
  return `redis at ${hosts}, user ${setting.username ?? 'default'}, TLS ${setting.tls ? 'on' : 'off'}, from ${source}`;
}
