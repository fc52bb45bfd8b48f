// A graph that a server of the test controls: `{ write }`, `{ fail }`, `{ ask }`, or `{ end }`.
import { Annotation, END, interrupt, START, StateGraph } from '@langchain/langgraph'

const State = Annotation.Root({ job: Annotation(), answer: Annotation() })

async function work({ job }, config) {
  for (let n = 0; ; n += 1) {
    const { write, fail, ask, end } = await (await fetch(`${process.env.CONTROL_URL}/${job}/${n}`)).json()
    if (write !== undefined) config.writer?.(write)
    if (fail) throw new Error(fail)
    if (ask) interrupt(ask)
    if (end) return { answer: end }
  }
}

export const graph = new StateGraph(State).addNode('work', work).addEdge(START, 'work').addEdge('work', END).compile()
