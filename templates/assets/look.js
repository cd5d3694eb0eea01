// A picture that says data-shows is drawn anew from what is typed in that form, as soon as somebody pauses. What cannot be
// drawn leaves the picture as it was.
'use strict'
;(() => {
  const PAUSE = 400

  for (const picture of document.querySelectorAll('img[data-shows]')) {
    const form = document.getElementById(picture.dataset.shows)
    if (!form) continue
    let later, newest
    const draw = () => {
      const typed = new URLSearchParams(new FormData(form))
      typed.delete('csrf')
      typed.set('typed', 'yes')
      const next = new Image()
      newest = next
      next.onload = () => { if (next === newest) picture.src = next.src }
      next.src = `${picture.src.split('?')[0]}?${typed}`
    }
    form.addEventListener('input', () => {
      clearTimeout(later)
      later = setTimeout(draw, PAUSE)
    })
  }
})()
