import { useEffect, useState } from 'react';
import type { ClientHub } from '../../../client/hub.ts';

/** The subjects that are in a room, on all instances. */
export function useMembers(hub: ClientHub | undefined, room: string): readonly string[] {
  const [members, setMembers] = useState<readonly string[]>([]);
  useEffect(() => {
    if (!hub) return;
    const presence = hub.presence(room, (now) => setMembers([...now].sort()));
    return () => presence.close();
  }, [hub, room]);
  return members;
}
