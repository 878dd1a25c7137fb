import type { LocalShard } from './local-api.ts';

interface ShardListProps {
  readonly shards: readonly LocalShard[];
  /** Runs an operation of the topology. @param what names it while it is under way */
  readonly act: (what: string, path: string) => Promise<void>;
  readonly isBusy: boolean;
}

/** So many are moved at a time: a tenth of what one of three shards has. */
const movedSlots = 500;

/** The shards of Redis, each with buttons that kill its primary, let its replica take over, and move slots. */
export function ShardList({ shards, act, isBusy }: ShardListProps) {
  return (
    <ul className="instances" aria-label="Shards">
      {shards.map((shard) => (
        <ShardCard key={shard.shard} shard={shard} of={shards.length} act={act} isBusy={isBusy} />
      ))}
    </ul>
  );
}

interface ShardCardProps extends Omit<ShardListProps, 'shards'> {
  readonly shard: LocalShard;
  /** How many there are. */
  readonly of: number;
}

function ShardCard({ shard: { shard, primary, replicas, slots }, of, act, isBusy }: ShardCardProps) {
  const next = (shard % of) + 1;
  const isAway = isBusy || primary === undefined;
  const path = `/shards/${shard}`;
  return (
    <li className="instance">
      <p className="by">
        <strong>Shard {shard}</strong>
        {primary === undefined && <span className="tag warn">no primary</span>}
        {replicas.length === 0 && <span className="tag warn">no replica</span>}
      </p>
      <p className="count">
        {slots.toLocaleString()} <span className="soft">slots</span>
      </p>
      <p className="soft">{primary ?? 'Its rooms wait'}</p>
      <div className="line">
        <button
          type="button"
          className="quiet danger"
          onClick={() => act(`kill ${shard}`, `${path}/kill`)}
          disabled={isAway}
        >
          Kill primary
        </button>
        <button
          type="button"
          className="quiet"
          onClick={() => act(`fail over ${shard}`, `${path}/failover`)}
          disabled={isAway || replicas.length === 0}
        >
          Fail over
        </button>
        <button
          type="button"
          className="quiet"
          onClick={() => act(`move ${shard}`, `${path}/move?to=${next}&slots=${movedSlots}`)}
          disabled={isAway || slots <= movedSlots}
        >
          Move {movedSlots} slots to shard {next}
        </button>
      </div>
    </li>
  );
}
