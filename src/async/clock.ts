/** The time in ms since 1970, by a clock that never jumps: the wall clock at the page's start plus the monotonic clock (High Resolution Time §5). */
export const now = (): number => performance.timeOrigin + performance.now()

/** Resolves in the next task. Not a timer: browsers throttle timers in hidden tabs. */
export const macrotask = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
