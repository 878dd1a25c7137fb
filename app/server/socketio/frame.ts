/** Any text as one buffer to be written to a WebSocket. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(headerLengthOf(length) + length);
  bytes.write(text, writeHeader(bytes, length));
  return bytes;
}

export function headerLengthOf(payloadLength: number): number {
  if (payloadLength < 126) return 2;
  return payloadLength < 65_536 ? 4 : 10;
}

/** The header of a final, unmasked text frame (RFC 6455, 5.2). @returns where the payload starts */
export function writeHeader(bytes: Buffer, payloadLength: number): number {
  bytes[0] = 0x81;
  if (payloadLength < 126) {
    bytes[1] = payloadLength;
  } else if (payloadLength < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(payloadLength, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(payloadLength), 2);
  }
  return headerLengthOf(payloadLength);
}
