/** `jobtail/react`: hooks that follow and start jobs, for React 18 and later. */
'use client'

export { JobtailProvider, type JobtailProviderProps, useClient } from './react/provider.ts'
export { type UseJob, type UseJobOptions, useJob } from './react/use-job.ts'
export { type UseJobEventsOptions, useJobEvents } from './react/use-job-events.ts'
export { useJobs } from './react/use-jobs.ts'
export { type UseStartJob, type UseStartJobOptions, useStartJob } from './react/use-start-job.ts'
