/** What every follower receives: `t` is when it was sent, in ms since 1970. */
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

/** The payload in an event of the protocol, for the servers that make none themselves. */
export const eventOf = (data: Payload): object => ({
  id: `mf3k2xabcdef-${data.n}`,
  seq: data.n,
  job: 'bench',
  type: 'progress',
  time: new Date().toISOString(),
  data
})
