/** Which client the hooks use. */

import { type Context, createContext, createElement, type ReactElement, type ReactNode, useContext } from 'react'
import { type Client, sharedClient } from '../index.ts'

/** Props of `JobtailProvider`. */
export interface JobtailProviderProps {
  /** The client for the hooks below. Make it once, outside of components: another client is another connection. */
  client: Client
  /** The components that use it. */
  children?: ReactNode
}

const ClientContext: Context<Client | undefined> = createContext<Client | undefined>(undefined)

/** Provides the client for the hooks in the components below it. Without a provider they use the client of `subscribe` and `start` without options. */
export function JobtailProvider({ client, children }: JobtailProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children)
}

/** Kept here: `sharedClient` keeps only the sixteen clients used last, and another client would be another connection. */
let fallback: Client | undefined

/** The client of the nearest `JobtailProvider`, else the one of `subscribe` and `start` without options. `client`: this one instead. */
export function useClient(client?: Client): Client {
  const provided = useContext(ClientContext)
  if (!client && !provided) fallback ??= sharedClient()
  return client ?? provided ?? (fallback as Client) // as: it was made in the line above
}
