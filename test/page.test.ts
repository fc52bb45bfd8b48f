/** Which events of the page are reported, and to how many listeners. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createPage, type Page, type PageListener } from '../src/page.ts'
import { type LifeEvent, useVirtualPage } from './client/virtual-page.ts'

const virtual = useVirtualPage()

interface Spied extends PageListener {
  heard: string[]
}

const spy = (): Spied => {
  const heard: string[] = []
  return { heard, onLeave: () => void heard.push('leave'), onChange: () => void heard.push('change') }
}

let network: string[]
let page: Page
beforeEach(() => {
  vi.useFakeTimers()
  network = []
  page = createPage((type) => network.push(type))
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

/** Every event that shows that a page is alive. */
const signs: [string, () => void][] = [
  ...(['pageshow', 'resume', 'focus', 'pointerdown', 'keydown'] as const).map((event): [string, () => void] => [event, () => virtual.say(event)]),
  ['being visible', () => virtual.show(true)],
  ['online', () => virtual.connect(true)]
]

describe.each<LifeEvent>(['pagehide', 'freeze'])('after %s', (leave) => {
  test.each(signs)('%s is a sign of life', (_, sign) => {
    const listener = spy()
    const unfollow = page.follow(listener)
    virtual.show(false)
    virtual.say(leave)
    expect(page.isAway).toBe(true)
    expect(listener.heard).toEqual(['leave'])
    sign()
    expect(page.isAway).toBe(false)
    expect(listener.heard).toEqual(['leave', 'change'])
    unfollow()
  })

  test('being hidden, offline or on another network is none', () => {
    const unfollow = page.follow(spy())
    virtual.say(leave)
    virtual.show(false)
    virtual.connect(false)
    virtual.change('cellular')
    expect(page.isAway).toBe(true)
    unfollow()
  })
})

test('where it isn’t away, what its user does says nothing', () => {
  const listener = spy()
  const unfollow = page.follow(listener)
  for (const event of ['focus', 'pointerdown', 'keydown'] as const) virtual.say(event)
  expect(listener.heard).toEqual([])
  virtual.show(true)
  virtual.say('pageshow')
  expect(listener.heard).toEqual(['change', 'change'])
  unfollow()
})

test('several listeners are one to the page, and the network is told once', () => {
  const listeners = [spy(), spy(), spy()]
  const [first, ...others] = listeners.map((listener) => page.follow(listener))
  const count = virtual.listeners
  expect(virtual.everAdded).toBe(count)
  virtual.connect(false)
  virtual.connect(true)
  virtual.say('pagehide')
  expect(network).toEqual(['offline', 'online'])
  expect(listeners.map(({ heard }) => heard)).toEqual([
    ['change', 'change', 'leave'],
    ['change', 'change', 'leave'],
    ['change', 'change', 'leave']
  ])
  first?.()
  first?.()
  virtual.say('pageshow')
  expect(listeners.map(({ heard }) => heard.length)).toEqual([3, 4, 4])
  expect(virtual.listeners).toBe(count)
  for (const unfollow of others) unfollow()
  expect(virtual.listeners).toBe(0)
})

test('nobody knows that it is away once nobody has followed it for a while', () => {
  page.follow(spy())()
  const unfollow = page.follow(spy())
  virtual.say('freeze')
  unfollow()
  expect(page.isAway).toBe(false)
})
