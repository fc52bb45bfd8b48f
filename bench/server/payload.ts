/** The payload that every follower receives. `t` is the time of sending, in ms since 1970. */
export interface Payload {
  t: number
  n: number
  text: string
}

export function createPayloads(): () => Payload {
  let n = 0
  return () => {
    n += 1
    return { t: performance.timeOrigin + performance.now(), n, text: 'x'.repeat(40) }
  }
}

/** The payload as an event of the protocol, for servers that don't make such events themselves. */
export const eventOf = (data: Payload): object => ({
  id: `mf3k2xabcdef-${data.n}`,
  seq: data.n,
  job: 'bench',
  type: 'progress',
  time: new Date().toISOString(),
  data
})
