// A card that says data-watch is asked for anew every three seconds until it no longer says so: what a person waits for
// appears by itself. A page that nobody looks at asks for nothing, and after ten minutes none does.
'use strict'
;(() => {
  const EVERY = 3_000
  let left = 200

  const renew = (page) => {
    for (const card of document.querySelectorAll('[data-watch]')) {
      const now = page.getElementById(card.id)
      if (!now) continue
      if (now.innerHTML !== card.innerHTML) {
        // The element itself stays: a screen reader tells what changes within it.
        card.className = now.className
        card.replaceChildren(...document.importNode(now, true).childNodes)
      }
      if (!('watch' in now.dataset)) delete card.dataset.watch
    }
  }

  const look = async () => {
    if (!document.hidden) {
      left -= 1
      const answer = await fetch(location.href, { headers: { Accept: 'text/html' } })
      // Whoever was signed out meanwhile is asked to sign in when they do something.
      if (!answer.ok || answer.redirected) return
      renew(new DOMParser().parseFromString(await answer.text(), 'text/html'))
    }
    if (left > 0 && document.querySelector('[data-watch]')) setTimeout(again, EVERY)
  }
  const again = () => {
    // The server is away for a moment, maybe.
    look().catch(() => left > 0 && setTimeout(again, EVERY))
  }
  setTimeout(again, EVERY)
})()
