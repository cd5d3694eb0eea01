// Passkeys: the server gives a challenge, the browser an answer, and an ordinary form takes the answer back.
//
// A form says what it is for: data-passkey is "get" or "create", data-options is where the challenge comes from, and
// data-autofill that a passkey may also be picked in the field for the name. data-typed-in is the form that has the
// fields which this one sends along. Without passkeys the forms stay hidden.
'use strict'
;(() => {
  if (!window.PublicKeyCredential) return
  const decode = (text) =>
    Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))
  const encode = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/=+$/, '')

  const challenge = async (form) => {
    const body = new URLSearchParams()
    for (const name of ['csrf', 'request', 'session']) {
      if (form.elements[name]) body.set(name, form.elements[name].value)
    }
    for (const field of form.querySelectorAll('[data-typed]')) body.set(field.name, field.value)
    const answer = await fetch(form.dataset.options, { method: 'POST', body, headers: { Accept: 'application/json' } })
    if (answer.status === 404 && form.dataset.typedIn) {
      // What was typed cannot be taken: the page that comes back says why.
      form.submit()
      return new Promise(() => {})
    }
    if (!answer.ok) throw new Error(`no challenge: ${answer.status}`)
    const { ceremony, publicKey } = await answer.json()
    publicKey.challenge = decode(publicKey.challenge)
    if (publicKey.user) publicKey.user.id = decode(publicKey.user.id)
    for (const list of ['allowCredentials', 'excludeCredentials']) {
      for (const known of publicKey[list] ?? []) known.id = decode(known.id)
    }
    return { ceremony, publicKey }
  }

  const written = (credential) => {
    const { response } = credential
    const parts = { clientDataJSON: encode(response.clientDataJSON) }
    for (const part of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
      if (response[part]) parts[part] = encode(response[part])
    }
    if (response.getTransports) parts.transports = response.getTransports()
    const extensions = credential.getClientExtensionResults()
    return JSON.stringify({
      id: credential.id,
      rawId: encode(credential.rawId),
      type: credential.type,
      response: parts,
      extensions: { credProps: extensions.credProps, appid: extensions.appid },
    })
  }

  const send = (form, ceremony, credential) => {
    form.elements.ceremony.value = ceremony
    form.elements.credential.value = written(credential)
    form.submit()
  }

  // What waits in the background for somebody to pick a passkey in the field for the name.
  let waiting
  const stopWaiting = () => {
    waiting?.abort()
    waiting = undefined
  }

  const autofill = async (form) => {
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return
    const { ceremony, publicKey } = await challenge(form)
    const mine = new AbortController()
    waiting = mine
    // A challenge is good for five minutes: before that is over a new one is asked for.
    const renew = setTimeout(() => {
      mine.abort()
      if (waiting === mine) autofill(form).catch(() => {})
    }, 270_000)
    try {
      const credential = await navigator.credentials.get({ publicKey, mediation: 'conditional', signal: mine.signal })
      if (credential) send(form, ceremony, credential)
    } finally {
      clearTimeout(renew)
    }
  }

  // Takes over what was typed in the other form; false, and the browser says so, if something is missing there.
  const takeOver = (form) => {
    const other = document.getElementById(form.dataset.typedIn)
    for (const field of form.querySelectorAll('[data-typed]')) {
      if (!other.elements[field.name].reportValidity()) return false
      field.value = other.elements[field.name].value
    }
    return true
  }

  const onPress = async (form) => {
    if (form.dataset.typedIn && !takeOver(form)) return
    const problem = form.querySelector('[data-passkey-problem]')
    problem.hidden = true
    stopWaiting()
    try {
      const { ceremony, publicKey } = await challenge(form)
      const credential = await (form.dataset.passkey === 'create'
        ? navigator.credentials.create({ publicKey })
        : navigator.credentials.get({ publicKey }))
      send(form, ceremony, credential)
    } catch {
      problem.hidden = false
    }
  }

  for (const form of document.querySelectorAll('form[data-passkey]')) {
    form.hidden = false
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      onPress(form)
    })
    if ('autofill' in form.dataset) autofill(form).catch(() => {})
  }
})()
