import { expect, test } from 'vitest'
import { deadMs, heardAfter, type Rhythm, rhythmOf, suspectMs } from '../../src/policy/rhythm.ts'

const HEARTBEAT_MS = 15_000

/** Heard after each of these silences. */
const heard = (...silences: number[]): Rhythm => silences.reduce(heardAfter, rhythmOf(HEARTBEAT_MS))
const times = (count: number, silentMs: number): number[] => Array.from({ length: count }, () => silentMs)

test('nothing is known at first: half a heartbeat without an event is suspect', () => {
  expect(suspectMs(rhythmOf(HEARTBEAT_MS), false)).toBe(7500)
  expect(deadMs(rhythmOf(HEARTBEAT_MS))).toBe(37_500)
})

test('twenty events a second and then nothing: suspect after a second, within 5 s of its start', () => {
  expect(suspectMs(heard(...times(60, 50)), false)).toBe(1000)
})

test('one event in two seconds: suspect after twice that', () => {
  expect(suspectMs(heard(...times(60, 2000)), false)).toBe(4000)
})

test('a pause that was in character once more is not suspect for a while', () => {
  const bursts = [...times(60, 50), 6000]
  expect(suspectMs(heard(...bursts), false)).toBe(24_000)
  expect(suspectMs(heard(...bursts, ...times(20, 50)), false)).toBeGreaterThan(6000)
  expect(suspectMs(heard(...bursts, ...times(80, 50)), false)).toBe(1000)
})

test('a job that comes in bursts is suspected ever more rarely', () => {
  const bursts = Array.from({ length: 10 }, () => [...times(20, 50), 2500]).flat()
  const suspicions = bursts.filter((silentMs, index) => silentMs >= suspectMs(heard(...times(60, 50), ...bursts.slice(0, index)), false))
  expect(suspicions).toEqual([2500])
})

test('a job with an event a minute is suspected three times in all', () => {
  const minutes = times(60, 60_000)
  const suspicions = minutes.filter((quietMs, index) => quietMs >= suspectMs(heard(...minutes.slice(0, index)), false))
  expect(suspicions).toHaveLength(2)
  expect(suspectMs(heard(...minutes), false)).toBe(75_000)
})

test('in a hidden page nothing short is suspect', () => {
  expect(suspectMs(heard(...times(60, 50)), true)).toBe(18_750)
})

test('heartbeats shorter than a second come first', () => {
  expect(suspectMs({ heartbeatMs: 100, pauseMs: 20, patience: 1 }, false)).toBe(125)
})
