// Verifies access tokens offline, from the provider's keys and its status lists.
import { inflateSync } from 'node:zlib'
import { createRemoteJWKSet, jwtVerify } from 'jose'

export function verifier({ issuer, audience }) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))
  const algorithms = ['ES256']
  const lists = new Map() // by address: what is known, and when to ask again

  return async function verify(token) {
    const { payload } = await jwtVerify(token, keys, { issuer, audience, algorithms, typ: 'at+jwt' })
    const { idx, uri } = payload.status.status_list
    const { bits } = await list(uri)
    if ((bits[idx >> 3] >> (idx & 7)) & 1) throw new Error('the token was revoked')
    return payload // sub, client_id, scope, …
  }

  async function list(uri) {
    const known = lists.get(uri)
    if (known && Date.now() < known.askAgain) return known
    try {
      const asked = await ask(uri, known)
      lists.set(uri, asked)
      return asked
    } catch (error) {
      if (known && Date.now() < known.expires) return known // the provider is away: what is known is still good
      throw error
    }
  }

  async function ask(uri, known) {
    if (!uri.startsWith(`${issuer}/revocations`)) throw new Error('not a list of this issuer')
    const answer = await fetch(uri, { headers: known ? { 'If-None-Match': known.etag } : {} })
    if (answer.status === 304) return { ...known, askAgain: Date.now() + known.ttl }
    if (!answer.ok) throw new Error(`${uri} answered ${answer.status}`)
    const checks = { issuer, subject: uri, algorithms, typ: 'statuslist+jwt' }
    const { payload } = await jwtVerify(await answer.text(), keys, checks)
    const packed = Buffer.from(payload.status_list.lst, 'base64url')
    const ttl = payload.ttl * 1000
    return {
      bits: inflateSync(packed, { maxOutputLength: 1 << 23 }),
      etag: answer.headers.get('etag'),
      ttl,
      askAgain: Date.now() + ttl,
      expires: payload.exp * 1000,
    }
  }
}
