import type { ServerMetrics } from './metrics.ts'

/**
 * Formats metrics in the text format of Prometheus, version 0.0.4. Serve it as `text/plain; version=0.0.4`. Every name begins with `jobtail_`.
 *
 * ```ts
 * app.get('/metrics', (_, res) => res.type('text/plain; version=0.0.4').send(prometheusText(jobs.metrics())))
 * ```
 */
export function prometheusText(metrics: ServerMetrics): string {
  const lines: string[] = []
  const family = (name: string, type: string, help: string, samples: readonly (readonly [string, number])[]): void => {
    lines.push(`# HELP jobtail_${name} ${help}`, `# TYPE jobtail_${name} ${type}`)
    for (const [labels, value] of samples) lines.push(`jobtail_${name}${labels} ${value}`)
  }
  const by = (label: string, values: Readonly<Record<string, number>>): [string, number][] =>
    Object.entries(values).map(([key, value]) => [`{${label}="${key.replace(/[\\"\n]/g, '_')}"}`, value])

  const { connections, opened, appended, appendFailures, running, queued, outcomes, delivered, lag, byes, rejected } = metrics
  family('connections', 'gauge', 'Readings open now.', by('transport', connections))
  family('connections_opened_total', 'counter', 'Readings opened.', by('transport', opened))
  family('events_appended_total', 'counter', 'Events appended through this server.', [['', appended]])
  family('append_failures_total', 'counter', 'Appends that the log did not take, by the code of its error.', by('code', appendFailures))
  family('jobs_running', 'gauge', 'Jobs that this server runs now.', [['', running]])
  family('jobs_queued', 'gauge', 'Jobs that wait here until they may run.', [['', queued]])
  family('jobs_ended_total', 'counter', 'Jobs that this server has run, by how they ended.', by('outcome', outcomes))
  family('events_delivered_total', 'counter', 'Events handed to readers.', by('transport', delivered))
  family('byes_total', 'counter', 'Readings ended by the server, by reason.', by('reason', byes))
  family('rejected_total', 'counter', 'Requests and subscriptions refused.', by('status', rejected))
  lines.push(
    '# HELP jobtail_delivery_lag_seconds From an event to its being handed to a reader that waited for it.',
    '# TYPE jobtail_delivery_lag_seconds histogram'
  )
  for (const { leMs, count } of lag.buckets) lines.push(`jobtail_delivery_lag_seconds_bucket{le="${leMs / 1000}"} ${count}`)
  lines.push(
    `jobtail_delivery_lag_seconds_bucket{le="+Inf"} ${lag.count}`,
    `jobtail_delivery_lag_seconds_sum ${lag.sumMs / 1000}`,
    `jobtail_delivery_lag_seconds_count ${lag.count}`
  )
  return `${lines.join('\n')}\n`
}
