// Everything shown here was put into words by src/failure.rs and arrives in the fragment.
// It is only ever set as text. A button is a link that the shell reads and never follows.
'use strict'

function show() {
  const view = JSON.parse(decodeURIComponent(location.hash.slice(1)))
  document.getElementById('title').textContent = view.title
  document.getElementById('sentence').textContent = view.sentence
  document.getElementById('help').replaceChildren(...view.help.map((text) => element('li', text)))
  const buttons = view.buttons.map(({ label, link }) => {
    const button = element('a', label)
    button.className = 'button'
    button.href = link
    return button
  })
  document.getElementById('buttons').replaceChildren(...buttons)
  buttons[0]?.focus()
}

function element(name, text) {
  const made = document.createElement(name)
  made.textContent = text
  return made
}

addEventListener('hashchange', show)
show()
