// A desktop session of our own: an X server without a screen, a message bus without services,
// and private folders for everything a desktop program writes. Nothing of the machine's real
// session is used or touched, and close() proves that nothing stays.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'

// Without a list of services the bus starts none, so the only processes are those the test starts.
const BUS_CONFIG = (socketFolder) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=${socketFolder}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

export async function openSession() {
  const root = mkdtempSync(path.join(tmpdir(), 'loge-desktop-'))
  const folder = (name) => {
    const made = path.join(root, name)
    mkdirSync(made, { mode: 0o700 })
    return made
  }
  const folders = {
    home: folder('home'),
    runtime: folder('runtime'),
    tmp: folder('tmp'),
    data: folder('data'),
    bus: folder('bus')
  }
  const children = []
  const start = (command, args, options) => {
    const child = spawn(command, args, options)
    children.push(child)
    return child
  }

  // Without -noreset it starts over when the last window is gone, and refuses who comes meanwhile.
  const xserver = start('Xvfb', ['-displayfd', '3', '-screen', '0', '1440x900x24', '-nolisten', 'tcp', '-noreset'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe']
  })
  const display = `:${await firstLine(xserver, 3, 'Xvfb')}`

  const busConfig = path.join(folders.bus, 'session.conf')
  writeFileSync(busConfig, BUS_CONFIG(folders.bus))
  const bus = start('dbus-daemon', ['--config-file', busConfig, '--nofork', '--nosyslog', '--print-address=3'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe']
  })
  const busAddress = await firstLine(bus, 3, 'dbus-daemon')

  const env = {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: folders.home,
    XDG_CONFIG_HOME: path.join(folders.home, '.config'),
    XDG_DATA_HOME: path.join(folders.home, '.local/share'),
    XDG_CACHE_HOME: path.join(folders.home, '.cache'),
    XDG_RUNTIME_DIR: folders.runtime,
    TMPDIR: folders.tmp,
    DISPLAY: display,
    DBUS_SESSION_BUS_ADDRESS: busAddress,
    // The accessibility bus would be asked for and waited for.
    NO_AT_BRIDGE: '1',
    GTK_A11Y: 'none',
    // Settings in memory, not in a database file of the run folder.
    GSETTINGS_BACKEND: 'memory',
    LIBGL_ALWAYS_SOFTWARE: '1',
    ...Object.fromEntries(
      ['LOGE_WORKER', 'LOGE_LAUNCHER', 'LOGE_FRAMES', 'LOGE_LOG'].flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))
    )
  }

  return {
    root,
    folders,
    env,
    /** What the program left where temporary things go; empty after a clean end. */
    leftovers() {
      return [folders.runtime, folders.tmp].flatMap((folder) =>
        readdirSync(folder).map((name) => path.join(folder, name))
      )
    },
    async close() {
      for (const child of children.reverse()) await end(child)
      // The web view's processes may write their caches for a moment longer than they are needed.
      await eventually('the folders are removed', () => {
        rmSync(root, { recursive: true, force: true })
        return true
      })
    }
  }
}

/** The desktop program, started as a person would: no WebDriver, output kept. */
export function startDesktop(session, binary, args) {
  const child = spawn(binary, args, { env: session.env, cwd: session.root, stdio: ['ignore', 'pipe', 'pipe'] })
  const lines = []
  const waiting = new Set()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      for (const look of waiting) look(line)
    })
  }
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })))
  return {
    pid: child.pid,
    exited,
    output: () => lines.join('\n'),
    /** The first match of the pattern in what was printed, waiting for it if need be. */
    async printed(pattern, patience = 30_000) {
      const known = lines.map((line) => line.match(pattern)).find(Boolean)
      if (known) return known
      let look
      const found = new Promise((resolve, reject) => {
        look = (line) => {
          const match = line.match(pattern)
          if (match) resolve(match)
        }
        waiting.add(look)
        exited.then(({ code, signal }) => reject(new Error(`ended (${code ?? signal}) before ${pattern}:\n${lines.join('\n')}`)))
      })
      try {
        return await within(found, patience, () => `no ${pattern} in:\n${lines.join('\n')}`)
      } finally {
        waiting.delete(look)
      }
    },
    end: () => end(child)
  }
}

/** Ends a process that this test started, kindly, then surely. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  try {
    await within(exited, 15_000, () => '')
  } catch {
    child.kill('SIGKILL')
    await exited
  }
}

/** Every process below this one, as stable identities: a number alone may be used again. */
export function descendants(pid) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).map(stat).filter(Boolean)
  const found = []
  const queue = [pid]
  while (queue.length > 0) {
    const parent = queue.shift()
    for (const one of all) {
      if (one.parent === parent) {
        found.push(one)
        queue.push(one.pid)
      }
    }
  }
  return found
}

export function alive({ pid, born }) {
  const now = stat(pid)
  return now !== null && now.born === born && now.state !== 'Z'
}

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { pid, name, state: fields[0], parent: Number(fields[1]), born: fields[19] }
  } catch {
    return null
  }
}

/** Asks again until the answer is truthy. The last resort where nothing announces itself. */
export async function eventually(what, ask, patience = 30_000) {
  const deadline = Date.now() + patience
  let seen
  for (;;) {
    try {
      seen = await ask()
      if (seen) return seen
    } catch (error) {
      seen = error
    }
    if (Date.now() > deadline) {
      const detail = seen instanceof Error ? seen.message : JSON.stringify(seen)
      throw new Error(`${what}: not within ${patience / 1000} s (last seen: ${detail})`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export function within(promise, patience, why) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`too late: ${why()}`)), patience)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

async function firstLine(child, fd, name) {
  const reader = createInterface({ input: child.stdio[fd] })
  const line = new Promise((resolve, reject) => {
    reader.once('line', resolve)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
  })
  return within(line, 15_000, () => `${name} did not start`)
}

export function need(file, what) {
  if (!existsSync(file)) throw new Error(`${file} is missing: ${what}`)
  return file
}
