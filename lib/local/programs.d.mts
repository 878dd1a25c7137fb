type Environment = Readonly<Record<string, string | undefined>>;
export type PackageManager = 'apt-get' | 'brew' | 'dnf';
export type Program = 'redis' | 'chromium';

export function findProgram(
  names: readonly string[],
  path: string | undefined,
  extraFolders?: readonly string[],
): string | undefined;
export function findRedis(environment?: Environment): string | undefined;
export function findLiveKit(environment?: Environment): string | undefined;
export function findChromium(environment?: Environment): string | undefined;
export function installLiveKitCommand(manager: PackageManager | undefined): string;
export function packageManager(environment: Environment): PackageManager | undefined;
export function installCommand(
  manager: PackageManager | undefined,
  what: Program,
  asRoot?: boolean,
): string | undefined;
