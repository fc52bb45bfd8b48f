/** The card with Svelte, rendered on a server. */

import { render as renderToString } from 'svelte/server'
import type { Client } from '../../../src/index.ts'
import type { CardProps } from '../card.ts'
import Cards from './Cards.svelte'

export const render = async (client: Client, props: CardProps): Promise<string> => (await renderToString(Cards, { props: { client, props } })).body
