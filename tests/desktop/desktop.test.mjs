// The shipped desktop program in a desktop session of its own: window, tray, second launch,
// quitting. Run: node --test tests/desktop/
//   LOGE_DESKTOP  the program `loge`         (default: below the cargo target folder)
//   LOGE_SERVER   the program `loge-server`  (default: beside it)

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { alive, descendants, eventually, need, openSession, startDesktop } from './support/session.mjs'
import { openTrayHost } from './support/tray_host.mjs'
import { openWindow } from './support/webdriver.mjs'

const house = path.resolve(import.meta.dirname, '../..')
const built = path.join(process.env.CARGO_TARGET_DIR ?? path.join(house, 'target'), 'debug')
const desktop = process.env.LOGE_DESKTOP ?? path.join(built, 'loge')
const server = process.env.LOGE_SERVER ?? path.join(path.dirname(desktop), 'loge-server')
const screenshots = path.join(house, 'test-results/desktop')

const ADMIN = { username: 'ana', password: 'a seat in the first row 7' }

let session
let host

before(async () => {
  need(desktop, 'build it with: cargo build -p loge')
  mkdirSync(screenshots, { recursive: true })
  session = await openSession()
  host = await openTrayHost(session)
})

after(async () => {
  await host?.close()
  await session?.close()
})

const args = ({ listen = '127.0.0.1:0', more = [] } = {}) => [
  ...['--data-dir', session.folders.data],
  ...['--runtime', 'process'],
  ...['--listen', listen],
  ...more
]

test('first run: announced, claimed, steered from the tray, quit without a trace', async () => {
  const program = startDesktop(session, desktop, args())
  try {
    const [, origin] = await program.printed(/^listening on (http:\/\/127\.0\.0\.1:\d+)$/)
    const [, code] = await program.printed(/^setup code: (\S+)$/)
    const claimed = await post(`${origin}/api/v1/setup`, { code, ...ADMIN })
    assert.equal(claimed.status, 201, await claimed.text())

    await host.itemRegistered()
    await host.waitForRow('Pause scanning', (row) => row.enabled)
    const rows = await host.rows()
    assert.deepEqual(
      rows.map((row) => (row.separator ? '—' : row.label.replace(/of \d+/, 'of n'))),
      ['Open dashboard', 'Copy LAN address', '—', 'Viewers: 0 of n', 'Pause scanning', 'Stop all streams', '—', 'Quit Loge']
    )
    const enabled = Object.fromEntries(rows.map((row) => [row.label, row.enabled]))
    assert.equal(enabled['Copy LAN address'], false, 'only this machine is served')
    assert.equal(enabled['Stop all streams'], false, 'nobody watches')
    const fine = await host.icon()

    await host.click('Pause scanning')
    await host.waitForRow('Resume scanning')
    assert.notEqual((await host.icon()).name, fine.name, 'the icon shows the pause')
    await host.click('Resume scanning')
    await host.waitForRow('Pause scanning')

    const second = startDesktop(session, desktop, args())
    assert.deepEqual(await second.exited, { code: 0, signal: null }, second.output())
    assert.doesNotMatch(second.output(), /listening on/, 'the second launch starts no server')

    const family = descendants(program.pid)
    assert.ok(family.length > 0, 'at least the web view has processes of its own')
    await host.click('Quit Loge')
    assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output())
    await eventually('no process is left', () => !family.some(alive))
    await assert.rejects(fetch(`${origin}/healthz`), 'the port is closed')
    assert.deepEqual(session.leftovers(), [])
  } finally {
    await program.end()
  }
})

test('the window shows the dashboard, signed in, and keeps its doors shut', async () => {
  const window = await openWindow(session, desktop, args())
  try {
    const origin = await eventually('the window leaves the start page', async () => {
      const url = new URL(await window.url())
      return url.protocol === 'http:' && url.origin
    })
    // Nobody typed anything: the owner's page, with the owner on it as the one who is here.
    const shown = await eventually('the dashboard shows', async () => {
      const text = await window.text()
      if (/of \d+ seats/.test(text) && /^ana$/m.test(text)) return text
      throw new Error(`${await window.url()} shows: ${text.slice(0, 400)}`)
    })
    assert.match(shown, /^Containers$/m, 'the owner can go everywhere')
    assert.equal(await window.url(), `${origin}/admin`, 'the ticket does not stay in the address')
    // Text is there before it is painted; an empty page compresses to a few kilobytes.
    const picture = await eventually('the dashboard is painted', async () => {
      const png = await window.screenshot()
      return png.length > 30_000 && png
    })
    writeFileSync(path.join(screenshots, 'dashboard.png'), picture)

    assert.equal(await invoke(window, 'get_autostart'), 'ok: false')
    assert.equal(await invoke(window, 'set_autostart', { enabled: true }), 'ok: null')
    assert.equal(await invoke(window, 'get_autostart'), 'ok: true')
    const entry = path.join(session.env.XDG_CONFIG_HOME, 'autostart/loge.desktop')
    assert.match(readFileSync(entry, 'utf8'), /^Exec=.*loge.* --hidden$/m)
    assert.equal(await invoke(window, 'set_autostart', { enabled: false }), 'ok: null')
    assert.equal(existsSync(entry), false)
    assert.match(await invoke(window, 'copy_text', { text: 'x'.repeat(5000) }), /^no: .*too long/)
    assert.equal(await invoke(window, 'copy_text', { text: 'http://192.168.1.5:8096' }), 'ok: null')
    for (const [command, payload] of [
      ['set_autostart', { enabled: 'yes' }],
      ['copy_text', { text: 7 }],
      ['copy_text', {}],
      ['plugin:dialog|open', { options: {} }],
      ['plugin:window|close', {}],
      ['plugin:webview|create_webview_window', { options: { label: 'second', url: '/' } }],
      ['plugin:event|listen', { event: 'x', target: { kind: 'Any' }, handler: 1 }],
      ['plugin:autostart|enable', {}],
      ['plugin:path|resolve_directory', { directory: 1 }],
      ['no_such_command', {}]
    ]) {
      assert.match(await invoke(window, command, payload), /^no: /, command)
    }

    // Requests are counted: WebKit opens a bare connection under a pressed link before it asks.
    let visits = 0
    const elsewhere = createHttpServer((_request, response) => {
      visits += 1
      response.end('elsewhere')
    })
    await new Promise((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    const foreign = `http://127.0.0.1:${elsewhere.address().port}/`
    try {
      for (const leave of [
        `location.href = '${foreign}'`,
        `const a = document.createElement('a'); a.href = '${foreign}'; document.body.append(a); a.click(); a.remove()`,
        `window.open('${foreign}')`,
        `window.open('/')`,
        `const a = document.createElement('a'); a.href = '/'; a.target = '_blank'; document.body.append(a); a.click(); a.remove()`,
        `const f = document.createElement('iframe'); f.src = '${foreign}'; document.body.append(f); setTimeout(() => f.remove(), 500)`,
        `location.href = 'tauri://localhost/index.html'`,
        `location.href = 'loge-action:quit'`,
        `location.href = 'file:///etc/passwd'`
      ]) {
        await window.script(leave)
        // A round trip through the page: whatever the attempt set off has been decided.
        await window.scriptAsync('const done = arguments[0]; setTimeout(done, 100)')
        assert.equal(new URL(await window.url()).origin, origin, leave)
        assert.equal((await window.handles()).length, 1, leave)
      }
      assert.equal(visits, 0, 'nothing of it reached the other server')
      // The control: that server can be reached, only not by the window.
      await (await fetch(foreign)).text()
      assert.equal(visits, 1)
    } finally {
      elsewhere.closeAllConnections()
      await new Promise((resolve) => elsewhere.close(resolve))
    }
  } finally {
    await window.close()
  }
  assert.deepEqual(session.leftovers(), [])
})

test('closing the window hides it while the tray can bring it back', async () => {
  const program = startDesktop(session, desktop, args())
  try {
    const [, origin] = await program.printed(/^listening on (http:\S+)$/)
    await eventually('the window shows', () => mapState() === 'IsViewable')
    await host.waitForRow('Pause scanning', (row) => row.enabled)
    const id = windowStats().match(/Window id: (0x[0-9a-f]+)/)[1]
    const asked = spawnSync('/usr/bin/python3', [path.join(import.meta.dirname, 'support/close_window.py'), id], {
      env: session.env,
      encoding: 'utf8'
    })
    assert.equal(asked.status, 0, asked.stderr)
    await eventually('the window is hidden', () => mapState() === 'IsUnMapped')
    assert.equal((await fetch(`${origin}/healthz`)).status, 200, 'the house stays open')
    await host.click('Open dashboard')
    await eventually('the window is back', () => mapState() === 'IsViewable')
    await host.click('Quit Loge')
    assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output())
  } finally {
    await program.end()
  }
})

test('started hidden, raised by a second launch, stopped by a signal', async () => {
  const program = startDesktop(session, desktop, args({ more: ['--hidden'] }))
  try {
    await program.printed(/^listening on /)
    assert.notEqual(mapState(), 'IsViewable')
    const second = startDesktop(session, desktop, args())
    assert.deepEqual(await second.exited, { code: 0, signal: null }, second.output())
    await eventually('the window is raised', () => mapState() === 'IsViewable')
    process.kill(program.pid, 'SIGTERM')
    assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output())
    assert.deepEqual(session.leftovers(), [])
  } finally {
    await program.end()
  }
})

test('the window comes back in the size it had', async () => {
  const file = path.join(session.env.XDG_CONFIG_HOME, 'app.loge.desktop/.window-state.json')
  const kept = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...kept, main: { ...kept.main, width: 1010, height: 707 } }))
  const program = startDesktop(session, desktop, args())
  try {
    await program.printed(/^listening on /)
    await eventually('the window has its size', () => /Width: 1010\s+Height: 707/.test(windowStats()))
  } finally {
    await program.end()
  }
})

test('the folder picker opens once, and an open one does not hold up quitting', async () => {
  const window = await openWindow(session, desktop, args())
  try {
    await eventually('the house is open', async () => (await window.url()).startsWith('http:'))
    await window.script(`window.picked = 'open'
      window.__TAURI_INTERNALS__.invoke('pick_folder').then((path) => { window.picked = path })`)
    await eventually('the dialog shows', () => mapState('Choose a folder of films') === 'IsViewable')
    assert.match(await invoke(window, 'pick_folder'), /^no: .*already open/)
    assert.equal(await window.script('return window.picked'), 'open')
  } finally {
    await window.close()
  }
  assert.deepEqual(session.leftovers(), [])
})

test('a taken port is explained, and the next one is a click away', async () => {
  const other = createServer()
  await new Promise((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address()
  let window
  try {
    window = await openWindow(session, desktop, args({ listen: `127.0.0.1:${port}` }))
    const text = await window.waitForText(new RegExp(`Port ${port} is in use`))
    assert.match(text, /Try again/)
    writeFileSync(path.join(screenshots, 'port-taken.png'), await window.screenshot())
    assert.match(await invoke(window, 'get_autostart'), /^no: /, 'the pages inside the program may call nothing')
    await window.click('.button')
    await eventually('the house opens on the next port', async () => {
      const url = new URL(await window.url())
      return url.protocol === 'http:' && Number(url.port) > port
    })
  } finally {
    await window?.close()
    await new Promise((resolve) => other.close(resolve))
  }
  assert.deepEqual(session.leftovers(), [])
})

test('a server that already runs is shown, not started again, and survives the window', async () => {
  need(server, 'build it with: cargo build -p loge-server')
  const service = startDesktop(session, server, ['serve', ...args()])
  try {
    const [, origin] = await service.printed(/^listening on (http:\S+)$/)
    const program = startDesktop(session, desktop, args())
    try {
      const [, shown] = await program.printed(/^listening on (http:\S+)$/)
      assert.equal(shown, origin)
      await host.waitForRow('Loge runs as a service on this machine.')
      await host.click('Quit, and leave the service running')
      assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output())
      assert.equal((await fetch(`${origin}/healthz`)).status, 200, 'the service goes on')
    } finally {
      await program.end()
    }
  } finally {
    await service.end()
  }
})

test('without a session bus there is no tray and no harm', async () => {
  const lonely = { ...session, env: { ...session.env, DBUS_SESSION_BUS_ADDRESS: `unix:path=${session.root}/nobody` } }
  const program = startDesktop(lonely, desktop, args())
  try {
    await program.printed(/^listening on /)
    await eventually('the window shows', () => mapState() === 'IsViewable')
    process.kill(program.pid, 'SIGTERM')
    assert.deepEqual(await program.exited, { code: 0, signal: null }, program.output())
    assert.deepEqual(session.leftovers(), [])
  } finally {
    await program.end()
  }
})

test('without a screen it says what to run instead', async () => {
  const { DISPLAY, ...blind } = session.env
  const program = startDesktop({ ...session, env: blind }, desktop, args())
  const { code } = await program.exited
  assert.equal(code, 1)
  assert.match(program.output(), /no screen.*loge-server serve/)

  const mistaken = { ...session, env: { ...session.env, DISPLAY: ':65000' } }
  const other = startDesktop(mistaken, desktop, args())
  assert.deepEqual(await other.exited, { code: 1, signal: null })
  assert.match(other.output(), /could not open its window: the screen .* does not answer/)
})

test('it proves a backup as another process of its own, without a window', () => {
  const { DISPLAY, ...blind } = session.env
  const folder = ['--data-dir', session.folders.data]
  const file = path.join(session.folders.data, 'backups', 'desktop.loge-backup')
  const made = spawnSync(server, ['backup', file, ...folder], { env: blind, encoding: 'utf8' })
  assert.equal(made.status, 0, made.stderr)
  const rehearse = () => {
    const done = spawnSync(desktop, ['rehearse', file, '--json', ...folder], { env: blind, encoding: 'utf8' })
    return { ...JSON.parse(done.stdout.trim().split('\n').at(-1)), status: done.status }
  }
  assert.deepEqual(rehearse(), { proven: true, users: 1, titles: 0, played: null, status: 0 })
  const bytes = readFileSync(file)
  writeFileSync(file, bytes.subarray(0, bytes.length - 40))
  const half = rehearse()
  assert.equal(half.proven, false)
  assert.match(half.problem, /not complete/)
  assert.notEqual(half.status, 0)
})

function post(url, body) {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

/** One native command, called as a page calls it. */
function invoke(window, command, payload = {}) {
  return window.scriptAsync(
    `const [command, payload, done] = arguments
     window.__TAURI_INTERNALS__.invoke(command, payload).then(
       (value) => done('ok: ' + JSON.stringify(value ?? null)), (error) => done('no: ' + error))`,
    command,
    payload
  )
}

/** How X sees the window; null before it was ever shown. */
function mapState(title = 'Loge') {
  return windowStats(title).match(/Map State: (\w+)/)?.[1] ?? null
}

function windowStats(title = 'Loge') {
  const asked = spawnSync('xwininfo', ['-name', title, '-stats'], { env: session.env, encoding: 'utf8' })
  if (asked.error) throw asked.error
  return asked.stdout
}
