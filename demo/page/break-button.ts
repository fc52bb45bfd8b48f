import { el, say } from '../../src/devtools/dom.ts'
import { type Act, acts, again, nextAct } from './acts.ts'
import { isBroken, type Network, type NetworkState } from './network.ts'

export interface BreakButtonOptions {
  network: Network
  /** Called at each press, before the network changes. */
  onAct(act: Act): void
  /** Called when the user wants another job, once the network is mended. */
  onAgain(): void
}

/** Puts the big button into `host`, with words for what it will do. After `setOver(true)` it offers another job instead. */
export function createBreakButton(host: HTMLElement, { network, onAct, onAgain }: BreakButtonOptions): { setOver(isOver: boolean): void } {
  const button = el('button', { type: 'button', class: 'big' }, acts[0]?.label ?? '')
  const about = el('p', { class: 'about', id: 'about-act' }, acts[0]?.about ?? '')
  const steps = el('ol', { class: 'steps', 'aria-hidden': 'true' }, ...acts.map(() => el('li')))
  button.setAttribute('aria-describedby', about.id)
  let state: NetworkState | undefined
  let act = acts[0]
  let wasAway = false
  let isOver = false

  function paint(): void {
    if (!state) return
    act = isOver ? again : nextAct(state, wasAway)
    say(button, act.label)
    say(about, act.about)
    button.classList.toggle('mends', act === again || act === acts.at(-1))
    const at = acts.indexOf(act)
    for (const [index, step] of [...steps.children].entries()) step.className = index < at || isOver ? 'past' : index === at ? 'next' : ''
  }

  network.onChange((next) => {
    state = next
    if (next) wasAway = next.awayMs > 0 || (wasAway && isBroken(next))
    paint()
  })
  button.addEventListener('click', async () => {
    if (!act) return
    const chosen = act
    onAct(chosen)
    await network.change(chosen.change)
    if (chosen === again) onAgain()
  })
  host.append(button, steps, about)
  return {
    setOver(over) {
      isOver = over
      paint()
    }
  }
}
