import { useEffect, useState } from 'react';
import { type Count, Meter } from './meter.ts';

const nothing: Count = {
  published: 0,
  acknowledged: 0,
  delivered: 0,
  lost: 0,
  duplicate: 0,
  outOfOrder: 0,
  reported: 0,
  connected: 0,
};

/** By chance so many are on each of a few shards. */
const roomsOnShards = 12;

/** Clients of this window that publish all the time, and live counts of the result. */
export function MeterPanel({ shards }: { readonly shards: number }) {
  const [running, setRunning] = useState(false);
  const [count, setCount] = useState(nothing);
  const rooms = shards > 0 ? roomsOnShards : 1;

  useEffect(() => {
    if (!running) return;
    const meter = new Meter(rooms);
    const timer = setInterval(() => setCount(meter.count()), 250);
    return () => {
      clearInterval(timer);
      meter.stop();
    };
  }, [running, rooms]);

  return (
    <section className="panel" aria-labelledby="meter-title">
      <div className="view-head">
        <h3 id="meter-title">Count every message</h3>
        <button type="button" onClick={() => setRunning(!running)}>
          {running ? 'Stop' : 'Start'}
        </button>
      </div>
      <p className="soft">
        Six clients in {rooms === 1 ? 'a room' : `${rooms} rooms`} of their own publish twice a second each,
        and all of them count.
      </p>
      <dl className="counts">
        <Figure name="Clients connected" value={count.connected} />
        <Figure name="Published" value={count.published} />
        <Figure name="Acknowledged" value={count.acknowledged} />
        <Figure name="Delivered" value={count.delivered} />
        <Figure name="Lost unsaid" value={count.lost} bad={count.lost > 0} />
        <Figure name="Duplicate" value={count.duplicate} bad={count.duplicate > 0} />
        <Figure name="Out of order" value={count.outOfOrder} bad={count.outOfOrder > 0} />
        <Figure name="Losses reported" value={count.reported} />
      </dl>
      {count.delivered > 0 && (
        <p role="status" className={isWhole(count) ? 'verdict good' : 'verdict bad'}>
          {verdictOn(count)}
        </p>
      )}
    </section>
  );
}

function isWhole({ lost, duplicate, outOfOrder }: Count): boolean {
  return lost + duplicate + outOfOrder === 0;
}

function verdictOn(count: Count): string {
  if (!isWhole(count)) return 'Something was lost unsaid, repeated or out of order.';
  if (count.reported === 0) return 'Every message once, in order.';
  return 'Every message once, in order; what Redis lost with its memory was reported to clients.';
}

interface FigureProps {
  readonly name: string;
  readonly value: number;
  readonly bad?: boolean;
}

function Figure({ name, value, bad = false }: FigureProps) {
  return (
    <div className={bad ? 'figure bad' : 'figure'}>
      <dt>{name}</dt>
      <dd data-testid={name}>{value.toLocaleString()}</dd>
    </div>
  );
}
