/** Runs the measurement that the URL's hash describes, then goes to the page that gets the next one. */

import type { Spec } from '../spec.ts'
import { run } from './tasks.ts'

const spec: Spec = JSON.parse(decodeURIComponent(location.hash.slice(1)))
/** A body of text needs no preflight. */
const tell = (path: string, told: object): Promise<Response> => fetch(new URL(path, spec.control), { method: 'POST', body: JSON.stringify(told) })
const over = new Promise<never>((_, reject) => {
  setTimeout(() => reject(new Error(`not over after ${spec.timeoutMs} ms`)), spec.timeoutMs)
})

try {
  await tell('/end', { measured: await Promise.race([run(spec, () => tell('/begin', {})), over]) })
} catch (error) {
  await tell('/end', { error: String(error) })
}
location.replace(spec.control)
