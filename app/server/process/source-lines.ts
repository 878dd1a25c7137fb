import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const maps = new Map<string, SourceMap | undefined>();

/**
 * A stack trace by the lines of the sources, where it names built files: `server/rooms/room.ts:81:9`. Node's own
 * `--enable-source-maps` reads every map at the start, which takes 0.2 s and 80 MB on Node 24; here one is read when
 * the first error names its file.
 */
export function withSourceLines(stack: string): string {
  return stack.replace(
    /(file:\/\/\S+?\.js):(\d+):(\d+)/g,
    (built, url: string, line: string, column: string) => {
      const origin = mapOf(url)?.findOrigin(Number(line), Number(column));
      if (!origin || !('fileName' in origin)) return built;
      return `${sourceName(origin.fileName, url)}:${origin.lineNumber}:${origin.columnNumber}`;
    },
  );
}

function mapOf(url: string): SourceMap | undefined {
  if (!maps.has(url)) maps.set(url, readMap(url));
  return maps.get(url);
}

/** Undefined where the service runs from its sources, or its maps were left out. */
function readMap(url: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(fileURLToPath(`${url}.map`), 'utf8')));
  } catch {
    return undefined;
  }
}

/** From the folder that holds `dist/`, three above `dist/server/chunks/main-….js`: `server/rooms/room.ts`, `node_modules/ws/lib/receiver.js`. */
function sourceName(source: string, builtUrl: string): string {
  const folder = fileURLToPath(new URL('../../..', builtUrl));
  return relative(folder, fileURLToPath(new URL(source, builtUrl)));
}
