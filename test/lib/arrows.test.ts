import { arrowsOf, cyclicFiles, FolderMap, filesIn, testMap } from '../support/arrows.ts';

const map = new FolderMap(/^(lib|livekit)\//);
const { places } = map;
const files = ['lib', 'livekit'].flatMap(filesIn);
const arrows = files.flatMap(arrowsOf);

test('the table has a row for every folder of lib and livekit, and no row without a folder', () => {
  expect(places.length).toBeGreaterThan(10);
  expect([...new Set(files.map((file) => map.placeOf(file)))].sort()).toEqual([...places].sort());
});

testMap(map, arrows);

test('no two files import each other, directly or through others', () => {
  expect(cyclicFiles(arrows)).toEqual([]);
});

test('what the AWS half takes from app and livekit needs no package', () => {
  const isAws = (file: string) => /^lib\/(aws|config|cost|realtime-stack)/.test(file);
  const taken = arrows
    .filter(
      ({ from, to, isPackage, isType }) =>
        !isPackage && !isType && isAws(from) && /^(app|livekit)\//.test(to),
    )
    .map(({ to }) => to);
  expect(taken.length).toBeGreaterThan(0);
  const packagesOf = (file: string): string[] =>
    arrowsOf(file)
      .filter(({ isType }) => !isType)
      .flatMap(({ to, isPackage }) => (isPackage ? [`${file}: ${to}`] : packagesOf(to)));
  expect([...new Set(taken)].flatMap(packagesOf)).toEqual([]);
});

test('livekit imports nothing outside itself', () => {
  const outside = arrows.filter(
    ({ from, to, isPackage }) => !isPackage && from.startsWith('livekit/') && !to.startsWith('livekit/'),
  );
  expect(outside).toEqual([]);
});

test('observability sees services only through their metrics', () => {
  const services = arrows.filter(
    ({ from, to }) =>
      from.startsWith('lib/aws/observability/') && /^aws-cdk-lib\/aws-(ecs|elast|ec2|auto|logs)/.test(to),
  );
  expect(services).toEqual([]);
});
