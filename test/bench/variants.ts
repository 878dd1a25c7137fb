import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { entryBefore, repository } from './build.ts';
import type { DialectName } from './load/dialects.ts';
import { hasCentrifugo } from './servers/centrifugo.ts';

/** One way to have rooms on several instances, as a process to start and what its clients speak. */
export interface Variant {
  readonly name: VariantName;
  readonly title: string;
  /** The server's entry, under this folder; undefined: a program on the PATH. */
  readonly entry: string | undefined;
  readonly dialect: DialectName;
  /** Flags of Node. @default those of the service's image, for the peers, too */
  readonly nodeOptions?: readonly string[];
}

/** The last two are this project by one protocol and by the other, for each other alone. */
export type VariantName =
  | 'floor'
  | 'classic'
  | 'streams'
  | 'centrifugo'
  | 'before'
  | 'ours'
  | 'socketio'
  | 'signalr';

/** Flags of Node in the service's image. */
export const imageOptions = nodeOptionsOf(readFileSync(join(repository, 'app/Dockerfile'), 'utf8'));

const centrifugo: Variant = {
  name: 'centrifugo',
  title: 'Centrifugo: history, recovery, presence',
  entry: undefined,
  dialect: 'centrifugo',
};

/** This project as it was in another commit. */
export const before: Variant = {
  name: 'before',
  title: 'Realtime Stack before',
  entry: entryBefore('servers/ours'),
  dialect: 'hub',
};

export const variants: readonly Variant[] = [
  { name: 'floor', title: 'floor: bare ws', entry: 'servers/floor', dialect: 'bare' },
  { name: 'classic', title: 'Socket.IO, classic adapter', entry: 'servers/classic', dialect: 'socketIo' },
  { name: 'streams', title: 'Socket.IO, streams + recovery', entry: 'servers/streams', dialect: 'socketIo' },
  ...(hasCentrifugo() ? [centrifugo] : []),
  { name: 'ours', title: 'Realtime Stack', entry: 'servers/ours', dialect: 'hub' },
];

function nodeOptionsOf(dockerfile: string): readonly string[] {
  return /\bNODE_OPTIONS=(\S+)/.exec(dockerfile)?.slice(1) ?? [];
}
