import { nameOf } from '../people/names.ts';

/** Keeps its height when nobody writes, so that nothing jumps. */
export function TypingLine({ subjects }: { readonly subjects: readonly string[] }) {
  return (
    <p className="typing soft" aria-live="polite">
      {inWords(subjects.map(nameOf))}
    </p>
  );
}

function inWords(names: readonly string[]): string {
  if (names.length === 0) return '\u00a0';
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return `${names.length} people are typing…`;
}
