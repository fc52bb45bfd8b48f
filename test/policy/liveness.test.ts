import { expect, test } from 'vitest'
import { afterEvent, INITIAL_RHYTHM, type Rhythm, rhythmOf, suspectMs } from '../../src/policy/liveness.ts'

const HEARTBEAT_MS = 15_000

/** The rhythm after an event at the end of each of these silences. */
const events = (...silences: number[]): Rhythm => silences.reduce(afterEvent, rhythmOf(HEARTBEAT_MS))
const times = (count: number, silentMs: number): number[] => Array.from({ length: count }, () => silentMs)

test('nothing is known at first: half a heartbeat without an event is suspect', () => {
  expect(suspectMs(rhythmOf(HEARTBEAT_MS), false)).toBe(7500)
  expect(rhythmOf(HEARTBEAT_MS).deadMs).toBe(37_500)
  expect(INITIAL_RHYTHM).toEqual(rhythmOf(HEARTBEAT_MS))
})

test('twenty events a second and then nothing: suspect after a second, within 5 s of its start', () => {
  expect(suspectMs(events(...times(60, 50)), false)).toBe(1000)
})

test('one event in two seconds: suspect after twice that', () => {
  expect(suspectMs(events(...times(60, 2000)), false)).toBe(4000)
})

test('a pause that was in character once more is not suspect for a while', () => {
  const bursts = [...times(60, 50), 6000]
  expect(suspectMs(events(...bursts), false)).toBe(24_000)
  expect(suspectMs(events(...bursts, ...times(20, 50)), false)).toBeGreaterThan(6000)
  expect(suspectMs(events(...bursts, ...times(80, 50)), false)).toBe(1000)
})

test('a job that comes in bursts is suspected ever more rarely', () => {
  const bursts = Array.from({ length: 10 }, () => [...times(20, 50), 2500]).flat()
  const suspicions = bursts.filter((silentMs, index) => silentMs >= suspectMs(events(...times(60, 50), ...bursts.slice(0, index)), false))
  expect(suspicions).toEqual([2500])
})

test('a job with an event a minute is suspected three times in all', () => {
  const minutes = times(60, 60_000)
  const suspicions = minutes.filter((quietMs, index) => quietMs >= suspectMs(events(...minutes.slice(0, index)), false))
  expect(suspicions).toHaveLength(2)
  expect(suspectMs(events(...minutes), false)).toBe(75_000)
})

test('in a hidden page nothing short is suspect', () => {
  expect(suspectMs(events(...times(60, 50)), true)).toBe(18_750)
})

test('heartbeats shorter than a second come first', () => {
  expect(suspectMs({ heartbeatMs: 100, deadMs: 250, pauseMs: 20, patience: 1 }, false)).toBe(125)
})

test('without a promised heartbeat silence is never a death, but as suspect as by the usual one', () => {
  const silent = rhythmOf(undefined)
  expect(silent.deadMs).toBe(Infinity)
  expect(suspectMs(silent, false)).toBe(7500)
  expect(suspectMs(silent, true)).toBe(suspectMs(rhythmOf(HEARTBEAT_MS), true))
})

test('a pause that is still suspected doubles the patience, up to a bound; another one leaves it', () => {
  const patience = (...quiet: number[]): number => events(...quiet).patience
  expect(patience(...times(10, 1000))).toBe(1)
  expect(patience(7499)).toBe(1)
  expect(patience(7500)).toBe(2)
  expect(patience(...Array.from({ length: 20 }, (_, index) => 20_000 * 4 ** index))).toBe(32)
})
