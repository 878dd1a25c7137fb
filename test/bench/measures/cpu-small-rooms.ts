import type { BenchContext, Rounds } from '../rounds.ts';
import { measureDeliveries } from './deliveries.ts';
import type { DeliveryFigures, DeliveryLoad } from './delivery.ts';

/** Many small rooms over many instances: what it costs to take in a message and to pass it on. */
export function measureSmallRooms(context: BenchContext): Promise<Rounds<DeliveryFigures>> {
  return measureDeliveries(context, 'small rooms', smallRoomsLoad(context.quick));
}

export function smallRoomsLoad(quick: boolean): DeliveryLoad {
  return {
    instances: quick ? 3 : 8,
    rooms: quick ? 100 : 400,
    membersPerRoom: 2,
    publishesPerSecond: quick ? 300 : 1_000,
    // Each instance sees an eighth of it, and its compiler wants a thousand of everything.
    warmUpMs: quick ? 1_000 : 8_000,
    slices: quick ? 2 : 5,
    sliceMs: 1_200,
  };
}
