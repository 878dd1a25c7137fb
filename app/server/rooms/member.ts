/**
 * One client of rooms, by whatever transport it came. The transport makes it; rooms know nothing else of a client.
 */
export interface Member {
  /** Names its connection to a hub, in the log and to the client itself. */
  readonly id: string;
  /** Who it is: stands in `from`, and stays the same over reconnects. */
  readonly subject: string;
  /** False from the moment at which its connection to the hub has ended. */
  readonly connected: boolean;
  /** How its transport writes what a room says. Members with the same one are written the same bytes. */
  readonly format: FrameFormat;
  /** Bytes that were sent and that it has not read yet, as far as this process can see. */
  readonly waitingBytes: number;
  /** Writes a frame of its format, behind all that it was sent before. */
  deliver(frame: Frame): void;
  /** Writes a frame of its format now, or not at all. */
  offer(frame: Frame): void;
  /** Sends an event to it alone, behind all that it was sent before. */
  send(event: string, ...args: readonly unknown[]): void;
  /** Ends its connection at once, and drops what waits. Its client comes back by itself. */
  terminate(): void;
}

/** How one transport writes messages and events. One object for all members that are written the same bytes. */
export interface FrameFormat {
  /** @param text a message of a room, as JSON in UTF-8 */
  message(text: Buffer): Frame;
  event(name: string, ...args: readonly unknown[]): Frame;
}

/** A message or an event as a transport writes it: built once, and given to each member of its format. */
export interface Frame {
  /** Called behind the last member that it was given to, for transports that write to all of them together. */
  flush(): void;
}

/** Writes to each member what `encode` makes for its format; it is made once for each format among them. */
export function deliverTo(members: Iterable<Member>, encode: (format: FrameFormat) => Frame): void {
  const frames = new FramesByFormat(encode);
  for (const member of members) member.deliver(frames.of(member.format));
  frames.flush();
}

/** The same for what is not kept: who can't be written to now goes without it. */
export function offerTo(members: Iterable<Member>, encode: (format: FrameFormat) => Frame): void {
  const frames = new FramesByFormat(encode);
  for (const member of members) member.offer(frames.of(member.format));
  frames.flush();
}

/** Frames of one message or event, each made once. */
export class FramesByFormat {
  readonly #encode: (format: FrameFormat) => Frame;
  #format: FrameFormat | undefined;
  #frame: Frame | undefined;
  /** Only where members of several formats are in one room. */
  #others: Map<FrameFormat, Frame> | undefined;

  constructor(encode: (format: FrameFormat) => Frame) {
    this.#encode = encode;
  }

  of(format: FrameFormat): Frame {
    if (format === this.#format) return this.#frame as Frame;
    if (this.#format === undefined) {
      this.#format = format;
      this.#frame = this.#encode(format);
      return this.#frame;
    }
    this.#others ??= new Map();
    const known = this.#others.get(format);
    if (known) return known;
    const frame = this.#encode(format);
    this.#others.set(format, frame);
    return frame;
  }

  flush(): void {
    this.#frame?.flush();
    if (this.#others) for (const frame of this.#others.values()) frame.flush();
  }
}
