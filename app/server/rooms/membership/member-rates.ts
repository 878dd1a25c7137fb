import type { NewRoom } from '../log/log.ts';
import type { Member } from '../member.ts';

/** Rate limits of members. */
export interface MemberRates<M extends Member> {
  /** @throws RpcError `rate_limited` */
  join(member: M): void;
  /**
   * It is about to be in a room without messages, of which there is no end. `leaveUnused` follows where it was let in.
   * @throws RpcError `rate_limited`
   */
  joinUnused(member: M, room: string, isUnused: () => boolean): void;
  leaveUnused(member: M, room: string): void;
  /** @param bytes of the whole request  @throws RpcError `rate_limited` */
  publish(member: M, bytes: number): void;
  /** @throws RpcError `rate_limited` */
  call(member: M): void;
  /** A reply of so many bytes was put together: who asked pays for it, and waits with the next question if it must. */
  read(member: M, bytes: number): void;
  newRoom(member: M): NewRoom;
}
