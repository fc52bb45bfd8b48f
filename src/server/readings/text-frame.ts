const FIN_TEXT = 0x81

/** A whole text message as a server sends it: one frame, not masked (RFC 6455 §5.2). */
export function textFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text)
  const offset = bytes < 126 ? 2 : bytes < 2 ** 16 ? 4 : 10
  const frame = Buffer.allocUnsafe(offset + bytes)
  frame[0] = FIN_TEXT
  if (offset === 2) frame[1] = bytes
  else if (offset === 4) {
    frame[1] = 126
    frame.writeUInt16BE(bytes, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(bytes), 2)
  }
  frame.write(text, offset)
  return frame
}
