import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { arrowsOf, cyclicFiles, FolderMap, filesIn, inCircles, testMap } from '../support/arrows.ts';

const server = 'app/server/';
const map = new FolderMap(/^app\/server\//, server);
const { places } = map;
const files = filesIn('app/server');
const all = filesIn('app').flatMap(arrowsOf);
/** Within the service: what it takes from `app/protocol` and the names beside it, everything may. */
const arrows = files.flatMap(arrowsOf).filter(({ to, isPackage }) => isPackage || to.startsWith(server));

test('the table has a row for every folder of the service and each file beside them, and no others', () => {
  expect(places.length).toBeGreaterThan(20);
  const topmost = files.map((file) => server + (file.slice(server.length).split('/')[0] as string));
  expect([...new Set(topmost)].sort()).toEqual([...places].sort());
});

testMap(map, arrows);

test('no two files import each other, directly or through others', () => {
  expect(cyclicFiles(all)).toEqual([]);
});

test('no two folders within one import each other, directly or through others', () => {
  const folders = [...new Set(files.map((file) => dirname(file)))].filter(
    (folder) => folder.split('/').length > 3,
  );
  const next = (folder: string) =>
    arrows
      .filter(({ from, isPackage }) => !isPackage && dirname(from) === folder)
      .map(({ to }) => dirname(to))
      .filter((to) => to !== folder && folders.includes(to));
  expect(folders.length).toBeGreaterThan(5);
  expect(inCircles(folders, next)).toEqual([]);
});

test('only socketio knows Socket.IO and Engine.IO', () => {
  const packages = /^(socket\.io(-adapter|-parser)?|engine\.io(-parser)?)(\/|$)/;
  const knowing = arrows.filter(({ to, isPackage }) => isPackage && packages.test(to));
  expect(knowing.length).toBeGreaterThan(5);
  expect(knowing.filter(({ from }) => !from.startsWith(`${server}socketio/`))).toEqual([]);
});

test('only redis makes connections to Redis; all others know their type', () => {
  const making = arrows.filter(({ to, isPackage, isType }) => isPackage && !isType && /^ioredis\b/.test(to));
  expect(making.length).toBeGreaterThan(0);
  expect(making.filter(({ from }) => !from.startsWith(`${server}redis/`))).toEqual([]);
});

test('app imports nothing outside itself', () => {
  expect(all.length).toBeGreaterThan(500);
  expect(all.filter(({ to, isPackage }) => !isPackage && !to.startsWith('app/'))).toEqual([]);
});

test('the protocol imports nothing but the protocol, and the client nothing of the service', () => {
  const ofProtocol = all.filter(({ from, isPackage }) => !isPackage && from.startsWith('app/protocol/'));
  expect(ofProtocol.filter(({ to }) => !to.startsWith('app/protocol/'))).toEqual([]);
  const ofClient = all.filter(({ from }) => /^app\/(client|page)\//.test(from));
  expect(ofClient.filter(({ to }) => to.startsWith(server))).toEqual([]);
});

test('what is read of other packages beyond their types is read in socketio', () => {
  const casting = files.filter((file) =>
    /\bas unknown as \w*Internals\b|\._socket\b/.test(readFileSync(file, 'utf8')),
  );
  expect(casting.length).toBeGreaterThan(2);
  expect(casting.filter((file) => !file.startsWith(`${server}socketio/`))).toEqual([]);
});
