/**
 * Names in Redis. Pub/Sub ignores the database number, so everything carries the deployment; the braces
 * keep one room's keys in one slot. `%`, `{` and `}` of a room are escaped: two rooms never share a name.
 */
export interface RoomKeys {
  readonly channel: string;
  readonly meta: string;
  readonly log: string;
  id(subject: string, id: string): string;
}

export function roomKeys(deployment: string, hub: string, room: string): RoomKeys {
  const base = `${deployment}:room:{${hub}/${room.replace(/[%{}]/g, encodeURIComponent)}}`;
  return {
    channel: base,
    meta: `${base}:meta`,
    log: `${base}:log`,
    // The length tells where the subject ends, whatever characters it has.
    id: (subject, id) => `${base}:id:${subject.length}:${subject}:${id}`,
  };
}
