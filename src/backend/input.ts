import { JobtailError } from '../errors.ts'

/**
 * The input of `start` as JSON.
 * @throws JobtailError `bad-request` where it is no JSON value
 */
export function jsonOf(input: unknown): string {
  let text: string | undefined
  let cause: unknown
  try {
    text = JSON.stringify(input)
  } catch (thrown) {
    cause = thrown
  }
  if (text === undefined) throw new JobtailError('bad-request', `input of start: expected a JSON value (${cause ?? typeof input})`, { cause })
  return text
}
