/** Frames as text. An event is serialised once, however many readers it goes to. */

import type { Frame, WireEvent } from './frames.ts'
import { isControl } from './frames.ts'

const texts = new WeakMap<WireEvent, string>()

/** The event as one line of JSON; the same object is serialised only once, so it must not change any more. */
export function encodeEvent(event: WireEvent): string {
  let text = texts.get(event)
  if (text === undefined) {
    text = JSON.stringify(event)
    texts.set(event, text)
  }
  return text
}

/** Any frame as one line of JSON. */
export const encodeFrame = (frame: Frame): string => (isControl(frame) ? JSON.stringify(frame) : encodeEvent(frame))
