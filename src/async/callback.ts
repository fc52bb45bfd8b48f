/** Calls a function of the application. What it throws is logged, so that the application sees it, and does not reach the caller. */
export function callSafely<A extends unknown[]>(callback: (...args: A) => void, ...args: A): void {
  try {
    callback(...args)
  } catch (error) {
    console.error('jobtail: a callback threw', error)
  }
}
