export type Need = 'processes' | 'redis' | 'chromium' | 'service';
export function testFiles(): string[];
export function needsOf(file: string): Set<Need>;
