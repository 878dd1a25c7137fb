/**
 * What is published: JSON of about 100 bytes, with the time at which it was sent on the clock that all
 * processes of a machine share.
 */
export function makeBody(): string {
  return `{"sent":${nowMicroseconds()},"text":"${text}"}`;
}

const text = 'Sixty-eight letters of small talk, as a chat message would hold them';
const marker = '"sent":';

/** Microseconds from the send of each body in a frame to now, read without parsing the frame. */
export function* agesMicroseconds(frame: string, bodies: number): Iterable<number> {
  const now = nowMicroseconds();
  let at = 0;
  for (let body = 0; body < bodies; body += 1) {
    const start = frame.indexOf(marker, at) + marker.length;
    at = frame.indexOf(',', start);
    yield now - Number(frame.slice(start, at));
  }
}

function nowMicroseconds(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1_000);
}
