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

/** Guests have no names. Every window makes the same name from a guest's subject. */

const manners = [
  'Amber',
  'Brisk',
  'Calm',
  'Daring',
  'Eager',
  'Fair',
  'Gentle',
  'Hardy',
  'Keen',
  'Lucid',
  'Merry',
  'Noble',
  'Quiet',
  'Royal',
  'Swift',
  'Witty',
];
const animals = [
  'Badger',
  'Crane',
  'Dolphin',
  'Falcon',
  'Gecko',
  'Heron',
  'Ibis',
  'Jay',
  'Lynx',
  'Marten',
  'Newt',
  'Otter',
  'Puffin',
  'Raven',
  'Seal',
  'Wren',
];
const tones = 8;

export function nameOf(subject: string): string {
  // An authenticated user's subject is a name. A guest's subject is random.
  if (!isRandom(subject)) return subject;
  const hash = hashOf(subject);
  return `${manners[hash % manners.length]} ${animals[(hash >>> 8) % animals.length]}`;
}

function toneOf(subject: string): number {
  return hashOf(subject) % tones;
}

function isRandom(subject: string): boolean {
  return /^(guest|anonymous):/.test(subject) || /^[\w-]{20}$/.test(subject);
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}
