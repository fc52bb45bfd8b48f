/** The card with Angular, as its JIT compiler takes it: without the syntax of decorators, which TypeScript would not only erase. */

import { Component, InjectionToken, inject, type Provider, type Signal } from '@angular/core'
import { injectJob, injectJobEvents, injectJobs, injectStartJob, provideJobtail } from '../../../src/angular.ts'
import type { Client } from '../../../src/index.ts'
import type { CardProps } from '../card.ts'

const PROPS = new InjectionToken<Signal<CardProps>>('props')

const Card = Component({
  selector: 'job-card',
  template: `<article>
    <output>{{ props().show(job.state()) }}</output>
    <pre>{{ seqs() }}</pre>
    <kbd>{{ known() }}</kbd>
    <samp>{{ started() }}</samp>
    <button (click)="starting.start(props().input)">Start</button>
    <button (click)="job.cancel()">Cancel</button>
  </article>`
})(
  class {
    props = inject(PROPS)
    job = injectJob(() => this.props().id, {
      enabled: () => this.props().enabled,
      initial: this.props().initial,
      ...(this.props().onEvent && { onEvent: (event) => this.props().onEvent?.(event) }),
      onEnd: (state) => this.props().onEnd?.(state)
    })
    events = injectJobEvents(() => (this.props().limit ? this.props().id : null), { limit: this.props().limit })
    jobs = injectJobs()
    starting = injectStartJob()
    seqs = () =>
      this.events()
        .map(({ seq }) => seq)
        .join(' ')
    known = () =>
      this.jobs()
        .map(({ id }) => id)
        .join(' ')
    started = () => (this.starting.isPending() ? 'starting' : (this.starting.error()?.message ?? this.starting.jobId() ?? ''))
  }
)

export const Cards = Component({
  selector: 'job-cards',
  imports: [Card],
  template: '@for (card of cards(); track card) { <job-card /> }'
})(
  class {
    props = inject(PROPS)
    cards = () => Array.from({ length: this.props().cards ?? 1 }, (_, card) => card)
  }
)

export const providersOf = (client: Client, props: Signal<CardProps>): Provider[] => [provideJobtail(client), { provide: PROPS, useValue: props }]
