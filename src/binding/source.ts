/** What the bindings to Vue, Svelte, Solid and Angular share. At run time it imports nothing but what `jobtail` exports. */

import { type Client, initialState, type JobEvent, type JobSnapshot, type JobState, JobtailError } from '../index.ts'
import { eachFrame, type Subscribe } from './frames.ts'
import { type Place, readEvents } from './read-events.ts'

/** The default of `E`: the application sends no events of its own. */
// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
export type None = {}

/** Whose jobs a component follows or starts. */
export interface ClientOption {
  /**
   * The client to use.
   * @defaultValue the one that the component's surroundings provide, else that of `subscribe` and `start` without options
   */
  client?: Client | undefined
}

/** What every binding takes for a job. A callback is looked up at each call: an object with a getter may give another one then. */
export interface FollowOptions<E> extends ClientOption {
  /** The job's snapshot from the server that rendered the page: what the first render shows, there and in the page. A snapshot of another job is ignored. */
  initial?: JobSnapshot | undefined
  /**
   * Where `onEvent` begins: after the event with this id, or with `'tail'` at what comes next.
   * @defaultValue the oldest event that the server retains
   */
  after?: string | undefined
  /** Called with each event once, in order. It has to be there when the job is first followed. What it throws is reported as an uncaught error. */
  onEvent?: ((event: JobEvent<E>) => void) | undefined
  /** Called once for each id, when the job has succeeded, failed or was cancelled, after the last `onEvent`. Never because a connection has ended. */
  onEnd?: ((state: JobState<E>) => void) | undefined
}

/** What every binding takes for a list of events. */
export interface ListOptions extends ClientOption {
  /**
   * How many events are kept, the latest ones: an integer from 1, or `Infinity`.
   * @defaultValue 1000
   */
  limit?: number | undefined
}

/** Something that a component shows of a job. Which job that is may change at any time. */
export interface Source<S> {
  /** What to show for a job, or for none. The same object until something changes. */
  read(id: string | undefined): S
  /** Follows this job from now on, and no other; none where it is `undefined`. */
  follow(id: string | undefined): void
}

/** Makes a source, which calls `changed` when there is something else to show: while a job runs, at most once per animation frame. */
export type MakeSource<S> = (client: Client, changed: () => void) => Source<S>

/** What is shown of one job. */
interface Store<S> {
  readonly subscribe: Subscribe
  read(): S
  /** Whether a change has to be shown at once. */
  isUrgent?(): boolean
}

/** `before`: what is shown of a job that is not followed yet, as while a server renders. */
function createSource<S>(changed: () => void, before: (id: string | undefined) => S, open: (id: string) => Store<S>): Source<S> {
  let followed: string | undefined
  let store: Store<S> | undefined
  let leave: (() => void) | undefined
  return {
    read: (id) => (store && id === followed ? store.read() : before(id)),
    follow(id) {
      leave?.()
      leave = undefined
      if (id === undefined) return
      store = open(id)
      followed = id
      leave = eachFrame(store.subscribe, changed, store.isUrgent)
      changed()
    }
  }
}

const isOver = ({ status }: Pick<JobState, 'status'>): boolean => !['unknown', 'queued', 'running'].includes(status)

/** Whether the end of a job is still awaited. Without an id there is none. */
export const isPending = (id: string | undefined, { status, error }: Pick<JobState, 'status' | 'error'>): boolean =>
  id !== undefined && !error && !isOver({ status })

/** Asks the server to cancel a job. */
export async function cancelJob(client: Client, id: string | undefined): Promise<void> {
  if (id === undefined) throw new JobtailError('bad-request', 'cancel: expected a job, got none: the id is null or undefined, or `enabled` is false')
  await client.job(id).cancel()
}

/** Calls an application's callback, whose errors are its own. */
function call<T>(callback: ((value: T) => void) | undefined, value: T): void {
  try {
    callback?.(value)
  } catch (error) {
    reportError(error)
  }
}

/** The state of a job. */
export const jobSource =
  <E extends object>(options: FollowOptions<E>): MakeSource<JobState<E>> =>
  (client, changed) => {
    const { initial, after } = options
    const none = initialState<E>()
    const rendered = initialState<E>(initial)
    let latest: string | undefined
    /** What of the latest job the callbacks have had, also before it was left for a while. */
    let place: Place = { after, hasEnded: false }

    function open(id: string): Store<JobState<E>> {
      const job = client.job<E>(id, { initial })
      let problem: JobtailError | undefined
      if (id !== latest) place = { after, hasEnded: false }
      latest = id
      const end = (state: JobState<E>): void => call(options.onEnd, state)
      const look = (): void => {
        if (place.hasEnded || !isOver(job.state)) return
        place.hasEnded = true
        end(job.state)
      }
      return {
        read: () => (problem && !job.state.error ? Object.freeze({ ...job.state, error: problem }) : job.state),
        isUrgent: () => isOver(job.state),
        subscribe(listener) {
          const stop = options.onEvent
            ? readEvents<E>(client, id, place, {
                event: (event) => call(options.onEvent, event),
                end,
                fail(error) {
                  problem = error as JobtailError // as: delivery fails with no other
                  listener()
                }
              })
            : job.subscribe(look)
          if (!options.onEvent) look()
          const leave = job.subscribe(listener)
          return () => {
            stop?.()
            leave()
          }
        }
      }
    }
    return createSource(changed, (id) => (id === initial?.id ? rendered : none), open)
  }

const NONE: readonly never[] = Object.freeze([])

/** The latest events of a job. */
export const eventsSource =
  <E extends object>({ limit = 1000 }: ListOptions): MakeSource<readonly JobEvent<E>[]> =>
  (client, changed) => {
    if (!(limit >= 1) || (limit < Infinity && !Number.isInteger(limit)))
      throw new JobtailError('bad-request', `limit: expected an integer from 1, or Infinity, got ${limit}`)
    return createSource<readonly JobEvent<E>[]>(
      changed,
      () => NONE,
      (id) => {
        let events: readonly JobEvent<E>[] = NONE
        /** Those that have come since `events` was read. Adding each to `events` would copy a thousand for each one. */
        let fresh: JobEvent<E>[] = []
        return {
          read() {
            if (fresh.length > 0) events = Object.freeze([...events, ...fresh].slice(-limit))
            fresh = []
            return events
          },
          subscribe(listener) {
            const event = (each: JobEvent<E>): void => {
              // Nobody may read them for long, such as while a part of the page is hidden.
              if (fresh.push(each) > 2 * limit) fresh = fresh.slice(-limit)
              listener()
            }
            return readEvents<E>(client, id, { after: undefined, hasEnded: false }, { event }) ?? (() => {})
          }
        }
      }
    )
  }
