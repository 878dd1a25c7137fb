/**
 * Builds again and again, for `npm start -- --watch`: each message holds the arguments of one build, and each answer
 * what is wrong, if anything is. It ends with who asks.
 */
import { buildAgain } from './build.mjs';

process.on('message', async (args) => {
  const failure = await buildAgain(args).then(
    () => undefined,
    ({ message }) => message,
  );
  process.send({ failure });
});
process.on('disconnect', () => process.exit());
