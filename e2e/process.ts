import { type ChildProcess, spawn } from 'node:child_process'

/** Starts a process that ends when this one does, together with the processes that it has started. */
export function startProcess(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): { child: ChildProcess; stop(): Promise<void> } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...env }, detached: true })
  const over = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // the process group has ended already
    }
  }
  process.once('exit', kill)
  return {
    child,
    async stop() {
      process.off('exit', kill)
      kill()
      await over
    }
  }
}
