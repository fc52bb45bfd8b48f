import type { End, Frame, Hello } from '../../protocol/frames.ts'
import { isControl } from '../../protocol/frames.ts'
import type { Answer, Delivery } from '../call.ts'
import { encodeFrame } from '../encode.ts'
import type { Follow } from '../follow.ts'
import type { Budget } from '../job-reader.ts'
import type { Room } from '../outlet.ts'
import { pump } from '../pump.ts'
import { checkErrors } from './json.ts'

const HEADERS = { 'Content-Type': 'application/x-ndjson', 'X-Accel-Buffering': 'no' }

interface NdjsonReading {
  follow: Follow
  hello: Hello
  budget: Budget
  /** It asks for one job: what is wrong with that one is the answer's status. */
  single: boolean
  delivery: Delivery
}

/** What is known now, a frame a line, page by page (PROTOCOL.md §3). The first pages, with which each job says where it stands, are read before the answer begins: a refusal is a status. */
export async function readNdjson({ follow, hello, budget, single, delivery }: NdjsonReading): Promise<Answer> {
  const first = await follow.ready(budget)
  checkErrors(
    first.filter((frame) => isControl(frame) && frame.control === 'error'),
    single
  )
  return {
    status: 200,
    headers: HEADERS,
    body: {
      ...delivery,
      pump(write, end) {
        const last = (): void => {
          const control: End = { control: 'end', more: follow.behind() }
          follow.end()
          write(encodeLines([control]))
          end()
        }
        const put = (frames: readonly Frame[]): Room => {
          const lines = encodeLines(frames)
          return lines === '' || write(lines)
        }
        pump([hello, ...first], { follow, budget, sink: { write: put, end: last }, once: true })
      }
    }
  }
}

/** Without `bye`: what it would say, `end` says with `more`. */
const encodeLines = (frames: readonly Frame[]): string =>
  [...frames.filter((frame) => !isControl(frame) || frame.control !== 'bye').map(encodeFrame), ''].join('\n')
