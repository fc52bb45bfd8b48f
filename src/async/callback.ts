/** Calls what a user handed in: its throw is the user's to see, and changes nothing here. */
export function callOut<A extends unknown[]>(callback: (...args: A) => void, ...args: A): void {
  try {
    callback(...args)
  } catch (error) {
    console.error('jobtail: a callback threw', error)
  }
}
