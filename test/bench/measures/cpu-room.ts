import type { BenchContext, Rounds } from '../rounds.ts';
import { measureDeliveries } from './deliveries.ts';
import type { DeliveryFigures, DeliveryLoad } from './delivery.ts';

/** One large room: what it costs to write to many sockets. */
export function measureOneRoom(context: BenchContext): Promise<Rounds<DeliveryFigures>> {
  return measureDeliveries(context, 'one room', oneRoomLoad(context.quick));
}

export function oneRoomLoad(quick: boolean): DeliveryLoad {
  return {
    instances: 2,
    rooms: 1,
    membersPerRoom: quick ? 100 : 500,
    publishesPerSecond: 30,
    warmUpMs: quick ? 1_000 : 4_000,
    slices: quick ? 2 : 5,
    sliceMs: 1_200,
  };
}
