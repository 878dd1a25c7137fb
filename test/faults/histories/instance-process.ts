import { LocalInstance, type LocalInstanceOptions } from '../../support/servers/local-instance.ts';

/** An instance as a process of its own, which can be stopped as a machine is: options in, its port out. */
const options = JSON.parse(process.argv[2] as string) as LocalInstanceOptions;
const instance = await LocalInstance.start(options);
process.on('disconnect', () => process.exit());
instance.onJoined((isJoined) => process.send?.({ isJoined }));
process.send?.({ port: instance.port, isJoined: instance.isJoined });
