import { el, say } from './dom.ts'

/** The proxy's state, as `/_proxy` tells it. */
interface ProxyState {
  faults: { webSocket: string; bufferStreams: boolean; requestLimitMs: number }
  awayMs: number
}

interface Switch {
  label: string
  /** A word for the timeline. */
  word: string
  about: string
  isOn(faults: ProxyState['faults']): boolean
  turn(on: boolean): Partial<ProxyState['faults']>
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

/** Puts the proxy's switches into `host`; `onTurn` is told in a word or two what the user did. */
export function createSwitches(host: HTMLElement, onTurn: (label: string) => void): void {
  const inputs = new Map<Switch, HTMLInputElement>()
  const status = el('p', { class: 'switch-status', role: 'status' })
  const cut = el('button', { type: 'button' }, 'Cut all connections')
  const away = el('button', { type: 'button' }, 'Server away for 5 s')
  const mend = el('button', { type: 'button', class: 'quiet' }, 'Mend everything')
  let backTimer: ReturnType<typeof setTimeout> | undefined

  function show({ faults, awayMs }: ProxyState): void {
    for (const [each, input] of inputs) input.checked = each.isOn(faults)
    clearTimeout(backTimer)
    if (awayMs > 0) backTimer = setTimeout(() => void send(), awayMs + 50)
    away.classList.toggle('on', awayMs > 0)
    const isBroken = awayMs > 0 || [...inputs.keys()].some((each) => each.isOn(faults))
    say(status, awayMs > 0 ? 'The server is away.' : isBroken ? 'The network is broken.' : 'The network works.')
    status.classList.toggle('broken', isBroken)
  }

  async function send(change?: object): Promise<void> {
    try {
      const init = change && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(change) }
      show((await (await fetch('/_proxy', init)).json()) as ProxyState) // as: our own server's
    } catch {
      say(status, 'The demo server does not answer.')
    }
  }

  function act(label: string, change: object): void {
    onTurn(label)
    void send(change)
  }

  const groupElements = groups.map(({ name, switches }) => {
    const rows = switches.map((each) => {
      const input = el('input', { type: 'checkbox', role: 'switch' })
      inputs.set(each, input)
      input.addEventListener('change', () => {
        act(input.checked ? each.word : `${each.word} off`, { faults: each.turn(input.checked) })
      })
      return el('label', { class: 'switch' }, input, el('span', { class: 'switch-label' }, each.label), el('small', {}, each.about))
    })
    return el('fieldset', {}, el('legend', {}, name), ...rows)
  })
  cut.addEventListener('click', () => act('cut', { cut: true }))
  away.addEventListener('click', () => act('server away', { awayMs: 5000 }))
  mend.addEventListener('click', () => act('mended', { faults: { webSocket: 'pass', bufferStreams: false, requestLimitMs: 0 }, awayMs: 0 }))

  host.append(
    el('div', { class: 'section-head' }, el('h2', { id: 'switches-title' }, 'Break the network'), status),
    ...groupElements,
    el('fieldset', { class: 'actions' }, el('legend', {}, 'Everything'), cut, away, mend)
  )
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void send()
  })
  void send()
}
