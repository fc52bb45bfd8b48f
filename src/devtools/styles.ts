/** The panel's style. The page's own has no effect on it, and it has none on the page. */

const host = `
:host {
  all: initial !important;
  display: contents !important;
}
:host([inline]) {
  display: block !important;
}
:host([hidden]) {
  display: none !important;
}
@media print {
  :host {
    display: none !important;
  }
}`

const box = `
.box {
  color-scheme: light dark;
  --card: light-dark(#ffffff, #181b22);
  --ink: light-dark(#171a21, #eceef3);
  --soft: light-dark(#596070, #9aa2b3);
  --line: light-dark(#dfe2ea, #2b303b);
  --accent: light-dark(#2459e0, #6f9bff);
  --bad: light-dark(#bf2330, #ff7a83);
  --warn: light-dark(#8a5a00, #efb04a);
  --look: light-dark(#687084, #8d95a8);
  --tone: var(--look);
  background: var(--card);
  color: var(--ink);
  font: 13.5px / 1.45 system-ui, sans-serif;
}
.box:not(.inline) {
  position: fixed;
  z-index: 2147483647;
  max-inline-size: min(760px, 100vw - 16px);
  border: 1px solid var(--line);
  border-radius: 10px;
  box-shadow: 0 4px 24px rgb(0 0 0 / 0.2);
}
.bottom-right, .bottom-left {
  inset-block-end: 8px;
}
.top-right, .top-left {
  inset-block-start: 8px;
}
.bottom-right, .top-right {
  inset-inline-end: 8px;
}
.bottom-left, .top-left {
  inset-inline-start: 8px;
}
.tools {
  display: contents;
}
.head, .legend {
  display: flex;
  flex-wrap: wrap;
  gap: 4px 8px;
  align-items: center;
}
.box:not(.inline) .head {
  padding: 6px;
}
.box:not(.inline) .body {
  inline-size: 736px;
  block-size: min(580px, 75vh);
  max-inline-size: 100%;
  padding: 4px 12px 12px;
  overflow-y: auto;
}
.inline .head {
  margin-block-end: 8px;
}
* {
  box-sizing: border-box;
}
[hidden] {
  display: none !important;
}
p, ol, ul {
  margin: 0;
  padding: 0;
}
ol, ul {
  list-style: none;
}
button, select, textarea {
  max-inline-size: 100%;
  min-block-size: 28px;
  padding: 2px 9px;
  border: 1px solid var(--line);
  border-radius: 7px;
  background: var(--card);
  color: inherit;
  font: inherit;
}
button, select, summary, label {
  cursor: pointer;
}
button[aria-pressed="true"] {
  border-color: var(--accent);
  color: var(--accent);
}
textarea {
  display: block;
  inline-size: 100%;
  margin-block: 6px;
  font: 12px / 1.4 ui-monospace, monospace;
}
.toggle {
  font-weight: 700;
}
.box:not(.inline) .toggle {
  margin-inline-end: auto;
}
label {
  display: inline-flex;
  gap: 4px;
  align-items: center;
  margin-inline: 4px;
  color: var(--soft);
}`

const picture = `
.report, .zoom {
  display: inline-flex;
  gap: 4px;
  align-items: center;
}
.legend {
  gap: 2px 14px;
  color: var(--soft);
  font-size: 12.5px;
}
.key {
  display: inline-block;
  inline-size: 18px;
  block-size: 8px;
  margin-inline-end: 6px;
  border: 1.5px solid var(--tone);
  border-radius: 3px;
  forced-color-adjust: none;
}
.key.live {
  block-size: 12px;
  background: var(--tone);
  vertical-align: -1px;
}
.key.event {
  inline-size: 8px;
  border: 0;
  background: repeating-linear-gradient(90deg, var(--tone) 0 1px, transparent 1px 3px);
}
.key.failed {
  border-color: var(--bad);
  background: var(--bad);
}
.key.abandoned {
  border-style: dashed;
}
svg {
  display: block;
  max-inline-size: 100%;
}
.lane, .second {
  stroke: var(--line);
}
.second {
  stroke-dasharray: 1 4;
}
text {
  fill: var(--soft);
  font: 11px / 1 system-ui, sans-serif;
}
.websocket {
  --tone: light-dark(#2f63e6, #6a97ff);
}
.sse {
  --tone: light-dark(#0b8577, #2fbfad);
}
.long-poll {
  --tone: light-dark(#b06a00, #e6a03c);
}
.short-poll {
  --tone: light-dark(#8b45c9, #bd84f2);
}
.lane-name {
  fill: var(--tone);
  font-weight: 600;
}
.bars rect {
  fill: var(--card);
  stroke: var(--tone);
  stroke-width: 1.5;
  cursor: pointer;
}
.bars .live {
  fill: var(--tone);
  stroke: none;
}
.bars .probe.proved {
  fill: var(--tone);
  fill-opacity: 0.35;
}
.bars .probe.failed {
  fill: var(--bad);
  stroke: var(--bad);
}
.bars .probe.abandoned {
  stroke-dasharray: 3 2;
}
.why, .mark text {
  paint-order: stroke;
  stroke: var(--card);
  stroke-width: 3px;
}
.why {
  fill: var(--bad);
  font-weight: 600;
}
.why.inside {
  fill: var(--card);
  stroke: none;
}
.tick {
  stroke: var(--tone);
  fill: none;
  pointer-events: none;
}
.pause {
  fill: var(--warn);
  opacity: 0.14;
}
.mark line {
  stroke: var(--ink);
  stroke-dasharray: 4 3;
}
.mark text {
  fill: var(--ink);
}`

const lists = `
.words {
  min-block-size: 2.9em;
  margin-block: 8px;
}
.happened {
  block-size: 9.5em;
  padding-block-start: 8px;
  border-block-start: 1px solid var(--line);
  overflow-y: auto;
}
.happened, .texts {
  color: var(--soft);
  font-size: 13px;
  font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;
}
summary {
  padding-block: 6px;
  font-weight: 600;
}
.texts {
  display: grid;
  gap: 6px;
  white-space: pre-line;
}`

export const styles: string = [host, box, picture, lists].join('\n')
