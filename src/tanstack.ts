/** jobtail/tanstack: a job's state as a query of TanStack Query. */

import { type Client, initialState, type JobOptions, type JobState } from './index.ts'

// biome-ignore lint/complexity/noBannedTypes: {} is "no events of the application's own"
type None = {}

/** What the query uses of what TanStack Query calls it with. */
export interface JobQueryContext {
  /** The query client. */
  client: { setQueryData(key: readonly unknown[], data: unknown): unknown }
  /** The query's key. */
  queryKey: readonly unknown[]
  /** Aborts when the last observer has left, or the query is cancelled. */
  signal: AbortSignal
}

/** The options of a query, for `useQuery`, `createQuery`, `queryClient.fetchQuery` and so on. */
export interface JobQuery<E = None> {
  /** `['jobtail', client.url, id]`: two users, or two clients of one URL, need query clients of their own. */
  queryKey: readonly ['jobtail', string, string]
  /** Follows the job until it ends. Each change of its state is put into the cache. */
  queryFn(context: JobQueryContext): Promise<JobState<E>>
  /** Where `initial` is given: its state. */
  initialData?: JobState<E>
  /** 0 while the job runs, so that whoever comes back follows it again; afterwards `Infinity`. */
  staleTime(query: { state: { data: unknown } }): number
  /** The client retries by itself, and gives up for good reasons only. */
  retry: false
  /** The client knows when there is no network. */
  networkMode: 'always'
  refetchOnWindowFocus: false
  refetchOnReconnect: false
  /** The states are frozen, and the same objects until something changes. */
  structuralSharing: false
}

/** The statuses of a job that goes on. */
const isRunning = ({ status }: JobState): boolean => /^(unknown|queued|running)$/.test(status)

/**
 * A query whose data is the job's state. It is `pending` until the server has told the state, and `fetching` until the job has ended. All that look at the job,
 * with or without TanStack Query, share one connection. The query ends to follow it as its last observer leaves; a refetch goes on where it was.
 *
 * A job that has failed is data, with `status` and `error`. The query fails with a `JobtailError` only where following has failed for good.
 * @throws JobtailError `bad-request`, synchronously, for an invalid option or job id
 */
export function jobQuery<E extends object = None>(client: Client, id: string, options?: JobOptions): JobQuery<E> {
  const job = client.job<E>(id, options)
  const initial = options?.initial
  return {
    queryKey: ['jobtail', client.url, id],
    ...(initial?.id === id && { initialData: initialState<E>(initial) }),
    queryFn: ({ client: cache, queryKey, signal }) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const { state } = job
          const isClosed = state.connection.phase === 'closed'
          if (isClosed) leave()
          if (isClosed && isRunning(state)) job.result.catch(reject)
          else if (isClosed) resolve(state)
          else if (state.status !== 'unknown') cache.setQueryData(queryKey, state)
        }
        const leave = job.subscribe(look)
        signal.addEventListener('abort', leave)
        look()
      }),
    staleTime: ({ state: { data } }) => (data === undefined || isRunning(data as JobState) ? 0 : Infinity), // as: the query's own data
    retry: false,
    networkMode: 'always',
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    structuralSharing: false
  }
}
