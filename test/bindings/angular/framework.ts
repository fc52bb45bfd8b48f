/** The card with Angular, in a page. */

// Before any other of Angular's modules, which are compiled as they are loaded.
import '@angular/compiler'

import { type ApplicationRef, ErrorHandler, provideZonelessChangeDetection, signal } from '@angular/core'
import { bootstrapApplication, createApplication, provideClientHydration } from '@angular/platform-browser'
import type { Client } from '../../../src/index.ts'
import type { CardProps, Framework, Mounted } from '../card.ts'
import { Cards, providersOf } from './cards.ts'

type Providers = NonNullable<Parameters<typeof createApplication>[0]>['providers']

async function mounted(client: Client, given: CardProps, begin: (providers: Providers) => Promise<ApplicationRef>): Promise<Mounted> {
  const props = signal(given)
  const errors: unknown[] = []
  const errorHandler = { provide: ErrorHandler, useValue: { handleError: (error: unknown) => errors.push(error) } }
  const app = await begin([provideZonelessChangeDetection(), errorHandler, ...providersOf(client, props)])
  if (errors.length > 0) throw errors[0]
  return {
    async set(change) {
      props.update((before) => ({ ...before, ...change }))
      app.tick()
    },
    unmount: () => app.destroy()
  }
}

export const angular: Framework = {
  name: 'Angular',
  mount: (element, client, given) =>
    mounted(client, given, async (providers) => {
      const app = await createApplication({ providers })
      app.bootstrap(Cards, element)
      return app
    }),
  hydrate(element, client, given) {
    // Angular looks for its mark among the body's own nodes, and for its element by the selector.
    for (const node of [...element.childNodes]) if (node.nodeType === Node.COMMENT_NODE) document.body.prepend(node)
    return mounted(client, given, (providers) => bootstrapApplication(Cards, { providers: [providers, provideClientHydration()] }))
  }
}
