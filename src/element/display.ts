/** Shows the job that an element follows: draws, speaks, fires events, and is a form's control. */

import type { JobState } from '../index.ts'
import { isEnd, isNews, type Said } from './announce.ts'
import { type Core, type JobtailElement, setOrRemove } from './base.ts'
import { wordOf } from './configuration.ts'
import { createEstimate } from './estimate.ts'
import { createFollowing, type Followed, NOBODY } from './follow.ts'
import { type Picture, pictureOf, ratioOf, type WordOf } from './picture.ts'
import type { JobEventDetail } from './types.ts'
import { createView } from './view.ts'
import { languageOf } from './words.ts'

export interface Display {
  /** What is known of the job. */
  readonly followed: Followed
  /** Draws now, and tells of what is new. */
  draw(): void
}

/** What each `<job-progress>` shows. */
export const displays: WeakMap<Element, Display> = new WeakMap()

/** A connection that comes back sooner is not worth a word. */
const LOST_MS = 5000
/** How often the time left is looked at while nothing comes. */
const TICK_MS = 1000

/** What is remembered of one job. */
const createMemory = () => ({
  estimate: createEstimate(),
  said: undefined as Said | undefined, // as: nothing yet
  /** Since when there has been no connection, in ms. */
  lostAt: undefined as number | undefined, // as: there is one
  /** The state that was told last. */
  told: undefined as JobState | undefined, // as: none yet
  hasEnded: false,
  /** What the person's wish to cancel has come to. */
  cancel: 'cancel' as 'cancel' | 'cancelling' | 'refused' // as: it changes
})

/** `host`: the element, with its attributes. */
export function createDisplay(host: JobtailElement & { job: string | null; name: string | null }): Core {
  const internals = host.attachInternals()
  const view = createView(host.attachShadow({ mode: 'open', delegatesFocus: true }), cancel)
  const following = createFollowing(host, changed)
  const word: WordOf = (...word) => wordOf(host, ...word)
  let followed = NOBODY
  let memory = createMemory()
  /** The progress that the page came with, until the server has told the job's own. */
  let before: number | undefined
  let frame = 0
  let timer: ReturnType<typeof setInterval> | undefined

  function changed(next: Followed): void {
    const isOther = next !== followed
    if (isOther) {
      memory = createMemory()
      before = followed === NOBODY ? Number(host.getAttribute('value') ?? host.querySelector('progress')?.position ?? NaN) : undefined
      followed = next
    }
    const { status, error } = next.state
    // A page that is not seen has no frames: there the timer draws, but for the end.
    if (isOther || error || isEnd(status) || !timer) draw()
    else frame ||= requestAnimationFrame(draw)
  }

  function draw(): void {
    stopFrame()
    const { state, job, position, canCancel } = followed
    const at = performance.now()
    const ratio = ratioOf(state, before)
    memory.lostAt = /^(connecting|waiting|offline)$/.test(state.connection.phase) ? (memory.lostAt ?? at) : undefined
    const isLost = at - (memory.lostAt ?? at) >= LOST_MS
    const leftMs = memory.estimate(state.status === 'running' ? ratio : undefined, at)
    const picture = pictureOf({ state, ratio, position, leftMs, isLost, isRefused: memory.cancel === 'refused' }, word, languageOf(host))
    const { status } = picture
    const isOpen = !!job && !isEnd(status)
    const mayCancel = isOpen && canCancel && status !== 'unknown' && !host.hasAttribute('no-cancel')
    view.draw({
      ...picture,
      label: host.label ?? '',
      name: labelOf() || word('progress'),
      cancel: mayCancel ? word(memory.cancel === 'cancelling' ? memory.cancel : 'cancel') : ''
    })
    setOrRemove(host, 'status', status)
    setOrRemove(host, 'value', ratio)
    setTimer(isOpen && host.isConnected)
    setForm(isOpen, status === 'succeeded', state.result)
    speak({ status, stage: picture.stage, quarter: Math.floor((ratio ?? 0) * 4), isLost, at }, picture)
    tell(state, status)
  }

  function stopFrame(): void {
    cancelAnimationFrame(frame)
    frame = 0
  }

  function setTimer(isOn: boolean): void {
    if (isOn) timer ??= setInterval(draw, TICK_MS)
    else timer = void clearInterval(timer)
  }

  /** The name that people see: by attribute, slot, or a form's `<label>`. */
  const labelOf = (): string => (host.label ?? host.querySelector('[slot=label]')?.textContent ?? internals.labels[0]?.textContent ?? '').trim()

  function setForm(isOpen: boolean, isDone: boolean, result: unknown): void {
    internals.setFormValue(isDone ? (typeof result === 'string' ? result : `${JSON.stringify(result)}`) : null)
    const customError = !!host.name && (isOpen || (!isDone && host.hasAttribute('required')))
    internals.setValidity({ customError }, word('wait'), view.bar)
  }

  function speak(now: Said, { stage, value, error, connection }: Picture): void {
    const isNew = isNews(memory.said, now)
    const hasEnded = isEnd(now.status)
    if (isNew && (hasEnded || !host.hasAttribute('quiet'))) view.say([labelOf(), stage, hasEnded ? '' : value, connection, error].filter(Boolean).join(', '))
    if (isNew || (!memory.said && now.status !== 'unknown')) memory.said = now
  }

  function tell(state: JobState, status: Picture['status']): void {
    const { told, hasEnded } = memory
    memory.told = state
    memory.hasEnded = isEnd(status)
    if (memory.hasEnded && !hasEnded) fire(status === 'succeeded' ? 'job-done' : 'job-failed', state)
    else if (!memory.hasEnded && status !== 'unknown' && (state.status !== told?.status || state.progress !== told.progress)) fire('job-progress', state)
  }

  function fire(type: string, state: JobState): void {
    const detail: JobEventDetail = Object.freeze({ job: `${host.job}`, ...state })
    host.dispatchEvent(new CustomEvent(type, { bubbles: true, composed: true, detail }))
  }

  async function cancel(): Promise<void> {
    const { job } = followed
    const own = memory
    if (own.cancel === 'cancelling') return
    own.cancel = 'cancelling'
    draw()
    try {
      await job?.cancel()
    } catch (error) {
      console.error(host, error)
      own.cancel = 'refused'
      draw()
    }
  }

  displays.set(host, {
    get followed() {
      return followed
    },
    draw
  })
  return {
    use: following.use,
    stop() {
      stopFrame()
      setTimer(false)
      following.stop()
    }
  }
}
