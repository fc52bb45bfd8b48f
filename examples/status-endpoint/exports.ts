/** Routes as they are found in the wild: they know nothing of Jobtail. */

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { json, Router } from 'express'

export interface Export {
  state: 'pending' | 'working' | 'done' | 'error'
  rowsDone: number
  rows: number
  file?: string
  message?: string
}

const exports = new Map<string, Export>()
export const router = Router()

router.post('/exports', json(), (req, res) => {
  const id = randomUUID()
  const wanted: Export = { state: 'pending', rowsDone: 0, rows: Number(req.body.rows) }
  exports.set(id, wanted)
  void run(id, wanted)
  res.status(202).json({ id })
})

router.get('/exports/:id/status', (req, res) => {
  const found = exports.get(req.params.id)
  if (found) res.json(found)
  else res.status(404).json({ error: 'no such export' })
})

router.delete('/exports/:id', (req, res) => {
  const found = exports.get(req.params.id)
  if (found) Object.assign(found, { state: 'error', message: 'stopped by its owner' })
  res.sendStatus(found ? 204 : 404)
})

/** The work. It only waits. */
async function run(id: string, wanted: Export): Promise<void> {
  for (wanted.state = 'working'; wanted.state === 'working' && wanted.rowsDone < wanted.rows; wanted.rowsDone += 1000) await sleep(200)
  if (wanted.state === 'working') Object.assign(wanted, { state: 'done', file: `/exports/${id}.csv` })
}
