import { nameOf, toneOf } from './names.ts';

/** A user, shown with a colour and a name that are made from the subject. */
export function Person({ subject, self = false }: { readonly subject: string; readonly self?: boolean }) {
  return (
    <span className="person" title={subject}>
      <span className={`avatar tone-${toneOf(subject)}`} aria-hidden="true">
        {nameOf(subject).slice(0, 1)}
      </span>
      {nameOf(subject)}
      {self && <span className="soft"> (you)</span>}
    </span>
  );
}
