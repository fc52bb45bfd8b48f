/** The card with Angular, rendered on a server. */

// Before any other of Angular's modules, which are compiled as they are loaded.
import '@angular/compiler'

import { provideZonelessChangeDetection, signal } from '@angular/core'
import { bootstrapApplication, provideClientHydration } from '@angular/platform-browser'
import { provideServerRendering, renderApplication } from '@angular/platform-server'
import type { Client } from '../../../src/index.ts'
import type { CardProps } from '../card.ts'
import { Cards, providersOf } from './cards.ts'

export async function render(client: Client, props: CardProps): Promise<string> {
  const providers = [provideServerRendering(), provideZonelessChangeDetection(), provideClientHydration(), ...providersOf(client, signal(props))]
  const document = await renderApplication((context) => bootstrapApplication(Cards, { providers }, context), {
    document: '<body><job-cards></job-cards></body>',
    url: '/'
  })
  return document.replace(/^.*<body[^>]*>|<\/body>.*$/gs, '')
}
