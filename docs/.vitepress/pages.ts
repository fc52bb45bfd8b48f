import type { DefaultTheme } from 'vitepress'

/** Every page of the site, in the order of the sidebar. Links are to files of docs/, without `.md`. A page that doesn't exist fails the build. */
const page = (text: string, file: string): DefaultTheme.SidebarItem => ({ text, link: `/${file}` })

const start = [page('The page', 'start/page'), page('The server', 'start/server'), page('React', 'start/react'), page('A script tag', 'start/script-tag')]

const using = [
  page('Vue', 'guides/vue'),
  page('Svelte', 'guides/svelte'),
  page('Solid', 'guides/solid'),
  page('Angular', 'guides/angular'),
  page('Progress in the page', 'guides/progress-ui'),
  page('A progress bar by one tag', 'guides/element'),
  page('Start, leave, cancel, come back', 'guides/start-and-resume'),
  page('When the page isn’t looked at', 'guides/away'),
  page('Errors and what to show', 'guides/errors'),
  page('Authentication', 'guides/authentication'),
  page('TanStack Query', 'guides/tanstack'),
  page('RxJS', 'guides/rxjs'),
  page('Testing your app', 'guides/testing'),
  page('Devtools', 'guides/devtools'),
  page('Moving from something else', 'guides/migrating'),
  page('When not to use it', 'guides/when-not')
]

const running = [
  page('Deploying', 'guides/deploying'),
  page('Dev proxies: Vite and Next', 'guides/dev-proxies'),
  page('Several nodes and Redis', 'guides/several-nodes'),
  page('BullMQ', 'guides/bullmq'),
  page('Connect and gRPC-Web', 'guides/connect'),
  page('Workers that die', 'guides/lost-workers'),
  page('The server you have', 'guides/backends')
]

const backends = [
  page('What each promises', 'backends/index'),
  page('plainSse', 'backends/plain-sse'),
  page('ndjson', 'backends/ndjson'),
  page('statusPoll', 'backends/status-poll'),
  page('celeryProgress', 'backends/celery-progress'),
  page('laravelBatch', 'backends/laravel-batch'),
  page('azureDurable', 'backends/azure-durable'),
  page('microsoftLro', 'backends/microsoft-lro'),
  page('googleLro', 'backends/google-lro'),
  page('mcpTask', 'backends/mcp-task'),
  page('aiSdk', 'backends/ai-sdk'),
  page('workflow', 'backends/workflow'),
  page('openaiResponses', 'backends/openai-responses'),
  page('langGraph', 'backends/langgraph'),
  page('durableStreams', 'backends/durable-streams'),
  page('mercure', 'backends/mercure'),
  page('nchan', 'backends/nchan'),
  page('fal', 'backends/fal'),
  page('replicate', 'backends/replicate'),
  page('a2a', 'backends/a2a')
]

const reference = [
  page('Every exported name', 'reference/README'),
  page('jobtail', 'reference/jobtail'),
  page('jobtail/core', 'reference/jobtail/core'),
  page('jobtail/explain', 'reference/jobtail/explain'),
  page('jobtail/element', 'reference/jobtail/element'),
  page('jobtail/backends', 'reference/jobtail/backends'),
  page('jobtail/react', 'reference/jobtail/react'),
  page('jobtail/vue', 'reference/jobtail/vue'),
  page('jobtail/svelte', 'reference/jobtail/svelte'),
  page('jobtail/solid', 'reference/jobtail/solid'),
  page('jobtail/angular', 'reference/jobtail/angular'),
  page('jobtail/connect', 'reference/jobtail/connect'),
  page('jobtail/tanstack', 'reference/jobtail/tanstack'),
  page('jobtail/rxjs', 'reference/jobtail/rxjs'),
  page('jobtail/iterators', 'reference/jobtail/iterators'),
  page('jobtail/away', 'reference/jobtail/away'),
  page('jobtail/devtools', 'reference/jobtail/devtools'),
  page('jobtail/server', 'reference/jobtail/server'),
  page('jobtail/server/fetch', 'reference/jobtail/server/fetch'),
  page('jobtail/server/redis', 'reference/jobtail/server/redis'),
  page('jobtail/server/bullmq', 'reference/jobtail/server/bullmq'),
  page('jobtail/server/connect', 'reference/jobtail/server/connect'),
  page('jobtail/testing', 'reference/jobtail/testing')
]

const details = [
  page('How it decides', 'how-it-decides'),
  page('Options and errors', 'API'),
  page('The server in detail', 'server'),
  page('The protocol', 'protocol'),
  page('Scaling', 'scaling'),
  page('Benchmarks', 'benchmarks')
]

export const sidebar: DefaultTheme.SidebarItem[] = [
  { text: 'Start', items: start },
  { text: 'Guides: your page', items: using },
  { text: 'Guides: your server', items: running },
  { text: 'Backends for other servers', items: backends },
  { text: 'In detail', items: details },
  { text: 'Reference', items: reference }
]

/** The files of the sidebar, relative to docs/. */
export const files: string[] = [start, using, running, backends, details, reference].flat().map(({ link }) => `${link?.slice(1)}.md`)

export const nav: DefaultTheme.NavItem[] = [
  { text: 'Start', link: '/start/page', activeMatch: '/start/' },
  { text: 'Guides', link: '/guides/progress-ui', activeMatch: '/guides/' },
  { text: 'How it decides', link: '/how-it-decides' },
  { text: 'Options', link: '/API' },
  { text: 'Reference', link: '/reference/README', activeMatch: '/reference/' }
]
