/** The topology can't start; the message has the cause and the fix. */
export class StartError extends Error {}

export function noEntry(entry: string, isDefault: boolean): string {
  const fix = isDefault
    ? 'Run `npm run setup`, which builds it.'
    : 'Give --entry the path of a JavaScript file.';
  return `The service is not there: ${entry}\n${fix}`;
}

export function cannotListen(port: number, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'EADDRINUSE') {
    return `Port ${port} is taken by another program. Give --port a free one, or leave it out to have one chosen.`;
  }
  if (code === 'EACCES')
    return `Port ${port} needs privileges that this user lacks. Give --port one above 1023.`;
  return `The load balancer can't listen on port ${port}: ${message}. Give --port another one.`;
}
