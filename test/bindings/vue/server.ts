/** The card with Vue, rendered on a server. */

import { renderToString } from '@vue/server-renderer'
import { createSSRApp } from 'vue'
import type { Client } from '../../../src/index.ts'
import type { CardProps } from '../card.ts'
import { appOf } from './framework.ts'

export const render = (client: Client, props: CardProps): Promise<string> => renderToString(appOf(client, props, createSSRApp))
