/**
 * What is published: JSON of about 100 bytes, with the time at which it was sent on the clock that all
 * processes of a machine share.
 */
export function makeBody(): string {
  return `{"sent":${nowMicroseconds()},"text":"${text}"}`;
}

const text = 'Sixty-eight letters of small talk, as a chat message would hold them';
const marker = '"sent":';

/** Microseconds from the send to now, read without parsing the frame. */
export function ageMicroseconds(frame: string): number {
  const start = frame.indexOf(marker) + marker.length;
  return nowMicroseconds() - Number(frame.slice(start, frame.indexOf(',', start)));
}

function nowMicroseconds(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1_000);
}
