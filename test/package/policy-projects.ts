/** One page in each way to build it: a job is started, and its bar fills. */

export interface Project {
  files: Readonly<Record<string, string>>
  /** Packages beside `jobtail`. */
  packages: readonly string[]
  build: 'vite' | 'webpack' | 'none'
}

const htmlOf = (script: string, body = '<main></main>'): string =>
  `<!doctype html><html lang="en"><head><link rel="icon" href="data:,"></head><body>${body}${script}</body></html>`
const viteHtml = htmlOf('<script type="module" src="/main.js"></script>')
const viteConfig = (name: string, imported: string): string =>
  `import ${imported} from '${name}'\nexport default { plugins: [${imported.replace(/\W/g, '')}()], build: { modulePreload: { polyfill: false } } }`

export const projects: Readonly<Record<string, Project>> = {
  'React and Vite': {
    build: 'vite',
    packages: ['vite', 'react', 'react-dom', 'scheduler'],
    files: {
      'index.html': viteHtml,
      'main.js': `
        import { createElement, useEffect } from 'react'
        import { createRoot } from 'react-dom/client'
        import { useJob, useStartJob } from 'jobtail/react'
        function Report() {
          const { start, jobId } = useStartJob()
          const { status, progress } = useJob(jobId)
          useEffect(() => void start({}), [start])
          return createElement('p', {}, createElement('progress', { value: progress?.ratio ?? 0 }), createElement('output', {}, status))
        }
        createRoot(document.querySelector('main')).render(createElement(Report))`
    }
  },
  'Vue and Vite': {
    build: 'vite',
    packages: ['vite', 'vue', '@vitejs/plugin-vue'],
    files: {
      'index.html': viteHtml,
      'vite.config.js': viteConfig('@vitejs/plugin-vue', 'vue'),
      'main.js': `import { createApp } from 'vue'\nimport Report from './Report.vue'\ncreateApp(Report).mount('main')`,
      'Report.vue': `<script setup>
        import { useJob, useStartJob } from 'jobtail/vue'
        const { start, jobId } = useStartJob()
        const { status, progress } = useJob(jobId)
        start({})
        </script>
        <template><progress :value="progress?.ratio ?? 0"></progress><output>{{ status }}</output></template>`
    }
  },
  'Svelte and Vite': {
    build: 'vite',
    packages: ['vite', 'svelte', '@sveltejs/vite-plugin-svelte'],
    files: {
      'index.html': viteHtml,
      'vite.config.js': viteConfig('@sveltejs/vite-plugin-svelte', '{ svelte }'),
      'main.js': `import { mount } from 'svelte'\nimport Report from './Report.svelte'\nmount(Report, { target: document.querySelector('main') })`,
      'Report.svelte': `<script>
        import { useJob, useStartJob } from 'jobtail/svelte'
        const starting = useStartJob()
        const job = useJob(() => starting.jobId)
        starting.start({})
        </script>
        <progress value={job.progress?.ratio ?? 0}></progress><output>{job.status}</output>`
    }
  },
  webpack: {
    build: 'webpack',
    packages: [],
    files: {
      'index.html': htmlOf('<script src="/main.js"></script>', '<progress></progress><output></output>'),
      'src/index.js': `
        import { start } from 'jobtail'
        const [bar, status] = ['progress', 'output'].map((name) => document.querySelector(name))
        start({}).then((job) => job.onChange(() => {
          bar.value = job.state.progress?.ratio ?? 0
          status.textContent = job.state.status
        }))`
    }
  },
  'a script tag': {
    build: 'none',
    packages: [],
    files: {
      'dist/index.html': htmlOf('<script src="/jobtail.min.js"></script><script src="/main.js"></script>', '<progress></progress><output></output>'),
      'dist/main.js': `
        const [bar, status] = ['progress', 'output'].map((name) => document.querySelector(name))
        Jobtail.start({}).then((job) => job.onChange(() => {
          bar.value = job.state.progress?.ratio ?? 0
          status.textContent = job.state.status
        }))`
    }
  }
}
