// Just enough of W3C WebDriver to look into the desktop window. WebKitWebDriver is spoken to
// directly: on Linux, tauri-driver only renames one capability and sets one variable, and
// both are done here, so that no test needs another program to be compiled first.

import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { alive, descendants, end, eventually, within } from './session.mjs'

export async function openWindow(session, binary, args) {
  const port = await freePort()
  const driver = spawn('WebKitWebDriver', [`--port=${port}`, '--host=127.0.0.1'], {
    env: { ...session.env, TAURI_AUTOMATION: 'true', TAURI_WEBVIEW_AUTOMATION: 'true' },
    cwd: session.root,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const lines = []
  for (const stream of [driver.stdout, driver.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line))
  }
  const call = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000)
    })
    const { value } = await response.json()
    if (!response.ok) throw new Error(`${method} ${path}: ${value?.error}: ${value?.message}`)
    return value
  }
  try {
    await eventually('WebKitWebDriver answers', async () => (await call('GET', '/status')).ready)
    // No browserName: the program is not a browser that the driver knows.
    const { sessionId } = await call('POST', '/session', {
      capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': { binary, args } } }
    })
    const at = (path) => `/session/${sessionId}${path}`
    const script = (source, ...given) => call('POST', at('/execute/sync'), { script: source, args: given })
    return {
      output: () => lines.join('\n'),
      url: () => call('GET', at('/url')),
      script,
      scriptAsync: (source, ...given) => call('POST', at('/execute/async'), { script: source, args: given }),
      text: () => script('return document.body ? document.body.innerText : ""'),
      handles: () => call('GET', at('/window/handles')),
      screenshot: async () => Buffer.from(await call('GET', at('/screenshot')), 'base64'),
      async click(selector) {
        const element = await call('POST', at('/element'), { using: 'css selector', value: selector })
        await call('POST', at(`/element/${Object.values(element)[0]}/click`), {})
      },
      async waitForText(wanted, patience = 30_000) {
        return eventually(`the window shows ${wanted}`, async () => {
          const text = await this.text()
          if (wanted.test(text)) return text
          throw new Error(`${await this.url()} shows: ${text.slice(0, 400)}`)
        }, patience)
      },
      /** The program ends by signal first: the driver would kill it and the server inside it. */
      async close() {
        const program = descendants(driver.pid).find(({ parent }) => parent === driver.pid)
        if (program && alive(program)) {
          process.kill(program.pid, 'SIGTERM')
          await eventually('the desktop program ends', () => !alive(program))
        }
        await end(driver)
      }
    }
  } catch (error) {
    await end(driver)
    throw new Error(`${error.message}\n${lines.join('\n')}`)
  }
}

async function freePort() {
  const server = createServer()
  const listening = new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  await within(listening, 5_000, () => 'no free port')
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
