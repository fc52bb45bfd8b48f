/** HAProxy with the configuration of `docs/guides/deploying.md`. */
export const haproxyConfiguration = (listen: number, nodes: readonly number[]): string => `
defaults
  mode http
  timeout connect 5s
  timeout check 30s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
  option http-no-delay
  option redispatch 1
  retries 3
  retry-on conn-failure empty-response
frontend jobs
  bind 127.0.0.1:${listen}
  default_backend nodes
backend nodes
  balance roundrobin
  option httpchk GET /health
${nodes.map((port) => `  server n${port} 127.0.0.1:${port} check inter 200ms fall 3 rise 1`).join('\n')}
`
