import type { Position } from '../../../app/protocol/hub.ts';

/**
 * What somebody else may publish in a room's channel. Some of it looks like ours: what was said before, what the log
 * does not hold, and other epochs.
 *
 * @param newest message of the room's log, as JSON text; undefined: there is none
 */
export function foreignPayloads(newest = '{"epoch":"E","offset":1}'): readonly (string | Buffer)[] {
  const { epoch, offset } = JSON.parse(newest) as Position;
  const last = `${epoch}:${offset}:${newest}`;
  return [
    '',
    'hello',
    '!',
    '!{"kind":"loss"}',
    '!{"kind":"loss"',
    '!{"kind":"event","event":"disconnect"}',
    '!{"kind":"event","event":"disconnect","payload":1}',
    '!{"kind":"nothing of ours"}',
    '!null',
    ':::',
    '::{}',
    'E:1:',
    'E:NaN:{}',
    'E:1e999:{}',
    `${'E'.repeat(70)}:1:{}`,
    `E:1:${newest}`,
    last,
    `${epoch}:${offset + 1_000}:${newest}`,
    `${epoch}:-1:${newest}`,
    `${epoch}:${offset}:{"room":`,
    `${epoch}:${offset + 2}:42/chat,["message",${newest}]`,
    `${epoch}:${offset + 2}:{"room":${'['.repeat(5_000)}}`,
    Buffer.from([0xff, 0xfe, 0x00, 0x80]),
    Buffer.concat([Buffer.from(`${epoch}:${offset + 2}:{"room":"`), Buffer.from([0xff]), Buffer.from('"}')]),
    'x'.repeat(100_000),
  ];
}
