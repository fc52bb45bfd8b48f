/** Where a time and a lane are in the picture, in CSS pixels. */
export interface Scale {
  readonly width: number
  /** The length of time that is visible, in ms. */
  readonly spanMs: number
  /** How far apart the labels of the axis are, in ms. */
  readonly stepMs: number
  /** The time at the right edge, in ms since 1970. */
  readonly end: number
  /** From top to bottom. */
  readonly lanes: readonly string[]
}

/** The height of a lane. */
export const LANE = 36
/** Height of the two rows of labels. */
export const TOP = 32
const AXIS = 18
/** The width of a label's widest characters. */
export const CHARACTER = 6.4

export const bottom = ({ lanes }: Pick<Scale, 'lanes'>): number => TOP + lanes.length * LANE
export const height = (scale: Pick<Scale, 'lanes'>): number => bottom(scale) + AXIS
export const laneTop = ({ lanes }: Scale, lane: string): number => TOP + Math.max(0, lanes.indexOf(lane)) * LANE
export const x = ({ width, end, spanMs }: Scale, at: number): number => width - ((end - at) / spanMs) * width

/** How much of the past a picture of this width shows, in ms: so many times doubled. */
export const spanOf = (width: number, doublings: number): number => (width < 560 ? 20_000 : 30_000) * 2 ** doublings
/** How far apart the labels of its axis are, in ms. */
export const stepOf = (doublings: number): number => 5000 * 2 ** doublings
export const MAX_DOUBLINGS = 4
