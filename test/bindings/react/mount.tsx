/** Mounts React components in the page, as an application does: without `act`, so that React schedules by itself. */

import * as React from 'react'
import { Component, type ReactNode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { onTestFinished, vi } from 'vitest'
import { createClient } from '../../../src/index.ts'
import type { Client, ClientOptions } from '../../../src/types.ts'
import type { Stage } from '../stage.ts'

/** React's major version. */
export const major = Number(React.version.split('.')[0])

export interface Mounted {
  container: HTMLElement
  root: Root
  render(node: ReactNode): void
  unmount(): void
  /** The text that the page shows there. */
  text(): string
}

/** What the console was told in the course of a test. */
export function watchConsole(): string[] {
  const said: string[] = []
  for (const level of ['warn', 'error'] as const) vi.spyOn(console, level).mockImplementation((...args) => void said.push(args.join(' ')))
  onTestFinished(() => void vi.restoreAllMocks())
  return said
}

/** Renders into an element of its own. Unmounts at the end of the test. */
export function mount(node: ReactNode): Mounted {
  const container = document.body.appendChild(document.createElement('div'))
  const root = createRoot(container)
  let isMounted = true
  const unmount = (): void => {
    if (isMounted) root.unmount()
    isMounted = false
  }
  onTestFinished(() => {
    unmount()
    container.remove()
  })
  root.render(node)
  return { container, root, render: (next) => root.render(next), unmount, text: () => container.textContent ?? '' }
}

/** Shows the code and the message of what its children throw. */
export class Boundary extends Component<{ children: ReactNode }> {
  override state = { error: '' }
  static getDerivedStateFromError = ({ code, message }: { code?: string; message: string }): { error: string } => ({ error: `${code} ${message}` })
  override render(): ReactNode {
    return this.state.error || this.props.children
  }
}

/** A client for this stage, closed at the end of the test. */
export function clientOf({ url }: Stage, options: ClientOptions = {}): Client {
  const client = createClient({ url, memory: false, jobStorage: false, retry: { baseMs: 10, maxMs: 100 }, ...options })
  onTestFinished(() => client.close())
  return client
}
