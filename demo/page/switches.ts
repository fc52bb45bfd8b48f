import { el, say } from '../../src/devtools/dom.ts'
import { isBroken, mended, type Network, type NetworkChange, type NetworkState } from './network.ts'

type Faults = NetworkState['faults']

interface Switch {
  label: string
  /** A label of one word for the timeline. */
  word: string
  about: string
  isOn(faults: Faults): boolean
  turn(on: boolean): Partial<Faults>
}

const webSocket = (fault: string, label: string, word: string, about: string): Switch => ({
  label,
  word,
  about,
  isOn: (faults) => faults.webSocket === fault,
  turn: (on) => ({ webSocket: on ? fault : 'pass' })
})

const groups: readonly { name: string; switches: readonly Switch[] }[] = [
  {
    name: 'WebSocket',
    switches: [
      webSocket('refuse', 'Refuse the upgrade', 'refuse', '403, as company proxies do'),
      webSocket('unanswered', 'Leave the upgrade unanswered', 'unanswered', 'the handshake hangs'),
      webSocket('mute', 'Open it, deliver nothing', 'mute', 'looks fine, says nothing'),
      webSocket('kill', 'Open it, kill it after 200 ms', 'kill', 'works for a moment, each time')
    ]
  },
  {
    name: 'HTTP',
    switches: [
      {
        label: 'Buffer event streams',
        word: 'buffer',
        about: 'the stream comes when it is over',
        isOn: (faults) => faults.bufferStreams,
        turn: (on) => ({ bufferStreams: on })
      },
      {
        label: '504 to long requests',
        word: '504',
        about: 'after 1 s, as gateways do',
        isOn: (faults) => faults.requestLimitMs > 0,
        turn: (on) => ({ requestLimitMs: on ? 1000 : 0 })
      }
    ]
  }
]

/** Puts a switch for each fault of the proxy into `host`. `onTurn` gets a label for the timeline and a sentence for the caption. */
export function createSwitches(host: HTMLElement, network: Network, onTurn: (word: string, sentence: string) => void): void {
  const inputs = new Map<Switch, HTMLInputElement>()
  const status = el('p', { class: 'switch-status' }, 'The network works.')
  const cut = el('button', { type: 'button' }, 'Cut all connections')
  const away = el('button', { type: 'button' }, 'Server away for 5 s')
  const mend = el('button', { type: 'button', class: 'quiet' }, 'Mend everything')

  function act(word: string, sentence: string, change: NetworkChange): void {
    onTurn(word, sentence)
    void network.change(change)
  }

  network.onChange((state) => {
    if (!state) return say(status, 'The demo server does not answer.')
    for (const [each, input] of inputs) input.checked = each.isOn(state.faults)
    away.classList.toggle('on', state.awayMs > 0)
    say(status, state.awayMs > 0 ? 'The server is away.' : isBroken(state) ? 'The network is broken.' : 'The network works.')
    status.classList.toggle('broken', isBroken(state))
  })

  const groupElements = groups.map(({ name, switches }) => {
    const rows = switches.map((each) => {
      const input = el('input', { type: 'checkbox', role: 'switch' })
      inputs.set(each, input)
      input.addEventListener('change', () => {
        const sentence = input.checked ? `You switched on “${each.label}”: ${each.about}.` : `You switched off “${each.label}”.`
        act(input.checked ? each.word : `${each.word} off`, sentence, { faults: each.turn(input.checked) })
      })
      return el('label', { class: 'switch' }, input, el('span', { class: 'switch-label' }, each.label), el('small', {}, each.about))
    })
    return el('fieldset', {}, el('legend', {}, name), ...rows)
  })
  cut.addEventListener('click', () => act('cut', 'You cut all connections, once.', { cut: true }))
  away.addEventListener('click', () => act('server away', 'You took the server away for 5 seconds.', { awayMs: 5000 }))
  mend.addEventListener('click', () => act('mended', 'You mended the network: everything gets through again.', mended))
  host.append(
    el('summary', {}, 'Choose what breaks'),
    status,
    ...groupElements,
    el('fieldset', { class: 'actions' }, el('legend', {}, 'Everything'), cut, away, mend)
  )
}
