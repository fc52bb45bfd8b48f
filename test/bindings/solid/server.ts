/** The card with Solid, rendered on a server. */

import { createComponent } from 'solid-js'
import { generateHydrationScript, renderToString } from 'solid-js/web'
import type { Client } from '../../../src/index.ts'
import type { CardProps } from '../card.ts'
import { Cards } from './cards.tsx'

export const render = async (client: Client, props: CardProps): Promise<string> =>
  generateHydrationScript() + renderToString(() => createComponent(Cards, { client, props }))
