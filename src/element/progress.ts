/** `<job-progress>`: follows one job, and shows how it is. */

import type { JobState } from '../index.ts'
import { JobtailElement } from './base.ts'
import { configure, type ElementConfiguration } from './configuration.ts'
import { createDisplay, displays } from './display.ts'
import type { JobEventDetail } from './types.ts'

/** The element `<job-progress>`: follows a job while it is in a document, and shows its progress. */
export class JobProgressElement extends JobtailElement {
  /** It takes part in forms: with a `name`, the job's result is its value. */
  static readonly formAssociated = true
  /** The attributes that it looks at; each is a property, too. */
  static override readonly observedAttributes: readonly string[] = [...JobtailElement.observedAttributes, 'job', 'name']
  /**
   * Sets words, client options and backends for all elements of the page, also for `<job-list>`, and for those that are there already.
   * @throws JobtailError `bad-request` for an unknown name. An invalid option of the client is an error of each element
   */
  static readonly configure: (configuration: ElementConfiguration) => void = configure

  /** The id of the job to follow; `null`: none. */
  declare job: string | null
  /** The name of its value in a form; `null`: it takes no part in one. */
  declare name: string | null

  constructor() {
    super(createDisplay)
  }

  /** What is known of the job. */
  get state(): JobState | undefined {
    return displays.get(this)?.followed.state
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'job-progress': JobProgressElement
  }
  interface GlobalEventHandlersEventMap {
    /** The job's progress or status has changed: at most once for each frame that the browser draws. */
    'job-progress': CustomEvent<JobEventDetail>
    /** The job has succeeded. */
    'job-done': CustomEvent<JobEventDetail>
    /** The job has failed, was cancelled, or can no longer be followed: `detail.error` says which. */
    'job-failed': CustomEvent<JobEventDetail>
  }
}
