// jose verifies tokens offline, from the JWKS alone. One process lives as long as its standard input, as an API would,
// so that keys can be rotated between two lines.
//
//   a line in    { issuer, jwks_uri?, token, audience?, typ?, algorithms?, cooldown_ms? }
//   a line out   { ok: true, header, claims, fetches } or { ok: false, error, description, fetches }
//
// Without `jwks_uri` it is read from the issuer's discovery document, once. `fetches` counts the JWKS requests so far.
// `cooldown_ms` (jose's own default is 30 s, here 0) of the first line for a JWKS holds for all of its lines.

import { createInterface } from 'node:readline'
import { createRemoteJWKSet, customFetch, jwtVerify } from 'jose'

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'Ed25519']
const issuers = new Map()

async function keysOf({ issuer, jwks_uri: given, cooldown_ms: cooldownDuration = 0 }) {
  const key = given ?? issuer
  if (issuers.has(key)) return issuers.get(key)
  const uri = given ?? (await discover(issuer)).jwks_uri
  const entry = { fetches: 0 }
  entry.keys = createRemoteJWKSet(new URL(uri), {
    cooldownDuration,
    timeoutDuration: 30_000,
    [customFetch]: (...request) => {
      entry.fetches += 1
      return fetch(...request)
    },
  })
  issuers.set(key, entry)
  return entry
}

async function discover(issuer) {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  if (!response.ok) throw new Error(`discovery answered ${response.status}`)
  const metadata = await response.json()
  if (metadata.issuer !== issuer) throw new Error(`discovery names the issuer ${metadata.issuer}`)
  return metadata
}

async function verify(line) {
  let entry
  try {
    const question = JSON.parse(line)
    entry = await keysOf(question)
    const { payload, protectedHeader } = await jwtVerify(question.token, entry.keys, {
      issuer: question.issuer,
      audience: question.audience,
      typ: question.typ,
      algorithms: question.algorithms ?? ALGORITHMS,
      requiredClaims: ['exp', 'iat', 'sub'],
    })
    return { ok: true, header: protectedHeader, claims: payload, fetches: entry.fetches }
  } catch (error) {
    return { ok: false, error: error.code ?? error.name, description: error.message, fetches: entry?.fetches ?? 0 }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim()) process.stdout.write(`${JSON.stringify(await verify(line))}\n`)
}
