import type { BenchContext, Rounds } from '../rounds.ts';
import { measureDeliveries } from './deliveries.ts';
import type { DeliveryFigures, DeliveryLoad } from './delivery.ts';

/** Many small rooms: what it costs to take in a message and to pass it on. */
export function measureSmallRooms(context: BenchContext): Promise<Rounds<DeliveryFigures>> {
  return measureDeliveries(context, 'small rooms', smallRoomsLoad(context.quick));
}

export function smallRoomsLoad(quick: boolean): DeliveryLoad {
  return {
    instances: 2,
    rooms: quick ? 100 : 400,
    membersPerRoom: 2,
    publishesPerSecond: quick ? 300 : 1_200,
    // Its compiler wants a thousand of everything.
    warmUpMs: quick ? 1_000 : 8_000,
    slices: quick ? 2 : 5,
    sliceMs: 1_200,
  };
}
