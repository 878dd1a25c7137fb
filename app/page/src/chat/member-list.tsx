import { Person } from '../people/person.tsx';

export interface MemberListProps {
  readonly members: readonly string[];
  readonly self: string | undefined;
}

const mostShown = 50;

/** Who is in the room now, on all instances. */
export function MemberList({ members, self }: MemberListProps) {
  return (
    <aside className="members" aria-labelledby="members-title">
      <h3 id="members-title">
        Here now <span className="soft">{members.length}</span>
      </h3>
      <ul>
        {members.slice(0, mostShown).map((subject) => (
          <li key={subject}>
            <Person subject={subject} self={subject === self} />
          </li>
        ))}
        {members.length > mostShown && <li className="soft">and {members.length - mostShown} more</li>}
      </ul>
    </aside>
  );
}
