/** Carries out the steps of a schedule, and records which of them took effect. */

import { clock } from './clock.ts'
import { type Fault, isHit, type Kind, type Step, type Target } from './faults.ts'
import { leave, startFollower, startReader } from './follower.ts'
import type { Log } from './log.ts'
import { page } from './page.ts'
import type { World } from './world.ts'

/** How long a token is valid at least. After two refusals in a row a client gives up, and is right. */
const TOKEN_LIFE_MS = 60_000

const TEXTS = ['plain', 'é', '😀 in \r\n pieces', 'data: \u2028 \n\n']

const progress = (log: Log): object => {
  const current = log.epoch.events.length
  return { current, message: TEXTS[current % TEXTS.length] }
}

export const appendProgress = (log: Log): void => log.append('progress', progress(log))

/** The data of the terminal event name its epoch. */
export const endJob = (log: Log, type = 'succeeded'): void =>
  log.append(type, type === 'failed' ? { code: 'broken', message: `in ${log.epoch.name}` } : { reason: log.epoch.name })

function restart(world: World, keeps: 'log' | 'part' | 'nothing', downMs: number): Kind[] {
  const { server, network } = world
  const kinds = [...network.open].filter(({ isDead }) => !isDead).map(({ kind }) => kind)
  for (const connection of [...network.open]) connection.reset()
  if (keeps !== 'log')
    // An ended job loses no events: clients were told its end.
    for (const log of server.logs.values()) if (!log.ended) log.rebuild(keeps === 'part' ? Math.floor(log.epoch.events.length / 2) : 0)
  server.isDown = true
  clock.after(downMs, () => {
    server.isDown = false
  })
  return kinds
}

export function perform(step: Step, world: World): void {
  const { network, server, followers } = world
  const hit = (fault: Fault, kind?: Kind): void => world.hit(fault, kind, step)
  const open = (target: Target) => [...network.open].filter(({ kind, isDead }) => !isDead && isHit(target, kind))
  const all = (kinds: readonly Kind[], fault: Fault): void => {
    for (const kind of new Set(kinds)) hit(fault, kind)
  }
  const damage = (target: Target, effect: 'none' | 'dead' | 'reset'): Kind[] => {
    const hurt = open(target)
    for (const connection of hurt) if (effect === 'dead') connection.die()
    for (const connection of hurt) if (effect === 'reset') connection.reset()
    return hurt.map(({ kind }) => kind)
  }

  switch (step.do) {
    case 'pass':
      return
    case 'reset':
    case 'dead':
      return all(damage(step.target, step.do), step.do)
    case 'busy': {
      server.busyUntil = clock.now + step.forMs
      const kinds = server.bye('shutdown', 0, () => true)
      return all(kinds, 'busy')
    }
    case 'job-busy':
      return all(server.refuseJob(step.job, 503, 'busy', step.retryMs), 'job-busy')
    case 'new-token':
      if (!world.hasTokens || clock.now < world.tokenAt + TOKEN_LIFE_MS) return
      world.tokenAt = clock.now
      server.renewToken()
      return all(
        server.bye('auth', 0, () => true),
        'new-token'
      )
    case 'revoked':
      server.revoke()
      world.isRevoked = world.hasTokens
      return all(
        server.bye('auth', 0, () => true),
        'revoked'
      )
    case 'restart':
      return all(restart(world, step.keeps, step.downMs), 'restart')
    case 'trimmed':
      if (server.logs.get(step.job)?.trim(step.keep) && followers.some(({ job }) => job === step.job)) hit('trimmed')
      return
    case 'replaced': {
      const log = server.logs.get(step.job)
      if (!log || log.ended) return
      log.rebuild(Math.min(step.keep, log.epoch.events.length))
      if (followers.some(({ job, state }) => job === step.job && state === 'running')) hit('replaced')
      return
    }
    case 'said-again':
      return all(server.sayAgain(step.job, step.by), 'said-again')
    case 'sent-again':
      return all(server.sendAgain(step.job, step.by), 'sent-again')
    case 'bye':
      return all(
        server.bye(step.reason, step.retryMs, (kind) => isHit(step.target, kind)),
        'bye'
      )
    case 'mux':
      if (server.mux !== step.mux) hit('mux')
      server.mux = step.mux
      world.leastMux = Math.min(world.leastMux, step.mux)
      return
    case 'forbidden':
    case 'expired': {
      const log = server.logs.get(step.job)
      if (!log || log.refusal) return
      log.refusal = step.do === 'forbidden' ? 403 : 410
      if (followers.some(({ job, state }) => job === step.job && state === 'running')) hit(step.do)
      return
    }
    case 'offline': {
      const kinds = damage('all', step.effect)
      if (step.effect !== 'none') network.add({ fault: 'refused', target: 'all', until: clock.now + step.forMs, amount: 0, hit() {} })
      page.goOffline(step.forMs)
      return all(kinds, 'offline')
    }
    case 'page-cache':
    case 'frozen':
      all(damage('all', 'none'), step.do)
      return page.putAway(step.forMs, step.do)
    case 'sleep':
      all(damage('all', step.effect), 'sleep')
      return page.sleep(step.forMs)
    case 'hidden':
    case 'long-hidden':
      all(damage('all', 'none'), step.do)
      return page.hide(step.forMs)
    case 'network-change':
      all(damage('all', 'none'), 'network-change')
      return page.setNetwork(step.type)
    case 'append': {
      const log = server.logs.get(step.job)
      for (let count = 0; log && count < step.count; count += 1) appendProgress(log)
      return
    }
    case 'end': {
      const log = server.logs.get(step.job)
      if (log) endJob(log, step.type)
      return
    }
    case 'read':
      followers.push(startReader(world.client(step.client), step, server.logs.get(step.job), followers))
      return
    case 'follow':
      followers.push(startFollower(world.client(step.client), step))
      return
    case 'leave': {
      const follower = followers[step.which]
      if (!follower || follower.left) return
      if (follower.state === 'running') hit('leave')
      return leave(follower, step.how)
    }
    case 'hurry':
      return followers[step.which]?.hurry()
    default: {
      const { do: fault, target, forMs, amount } = step
      let isFelt = new Set<Kind>()
      network.add({
        fault,
        target,
        amount,
        until: clock.now + forMs,
        hit(kind) {
          if (isFelt.has(kind)) return
          isFelt = isFelt.add(kind)
          hit(fault, kind)
        }
      })
    }
  }
}
