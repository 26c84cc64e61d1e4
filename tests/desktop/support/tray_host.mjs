// The test's side of tray_host.py.

import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { end, eventually, within } from './session.mjs'

export async function openTrayHost(session) {
  // Debian's own interpreter: only that one sees python3-dbus and python3-gi.
  const child = spawn('/usr/bin/python3', [path.join(import.meta.dirname, 'tray_host.py')], {
    env: session.env,
    stdio: ['pipe', 'pipe', 'inherit']
  })
  const waiting = new Map()
  let ready
  const up = new Promise((resolve, reject) => {
    ready = resolve
    child.once('exit', (code) => reject(new Error(`the tray host ended with ${code} (python3-dbus and python3-gi installed?)`)))
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line)
    if (message.ready) return ready()
    const { resolve, reject } = waiting.get(message.id)
    waiting.delete(message.id)
    if (message.error) reject(new Error(message.error))
    else resolve(message.value)
  })
  await within(up, 15_000, () => 'the tray host did not start')
  let last = 0
  const ask = (request) => {
    const id = ++last
    const answered = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }))
    child.stdin.write(`${JSON.stringify({ id, ...request })}\n`)
    return within(answered, 15_000, () => `no answer to ${JSON.stringify(request)}`)
  }
  return {
    rows: () => ask({ do: 'rows' }),
    icon: () => ask({ do: 'icon' }),
    click: (label) => ask({ do: 'click', label }),
    itemRegistered: () => eventually('the tray icon registers', () => ask({ do: 'registered' })),
    async waitForRow(label, wanted = () => true) {
      return eventually(`the tray menu shows ${label}`, async () => {
        const rows = await ask({ do: 'rows' })
        const row = rows.find((row) => row.label === label && wanted(row))
        if (row) return row
        throw new Error(rows.map((row) => `${row.label}${row.enabled ? '' : ' (off)'}`).join(' | '))
      })
    },
    close: () => end(child)
  }
}
