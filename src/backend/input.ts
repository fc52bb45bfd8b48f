import { JobtailError } from '../errors.ts'

/**
 * The input of `start` as JSON.
 * @throws JobtailError `bad-request` where it is no JSON value
 */
export function jsonOf(input: unknown): string {
  try {
    return JSON.stringify(input) ?? 'null'
  } catch (cause) {
    throw new JobtailError('bad-request', `input of start: expected a JSON value (${cause})`, { cause })
  }
}
