// The example of the README as an API that lives as long as its standard input.
//
//   a line in    { issuer, audience, token }
//   a line out   { ok: true, claims } or { ok: false, description }

import { createInterface } from 'node:readline'
import { verifier } from './offline.mjs'

let verify
for await (const line of createInterface({ input: process.stdin })) {
  const { issuer, audience, token } = JSON.parse(line)
  verify ??= verifier({ issuer, audience })
  const answer = await verify(token).then(
    (claims) => ({ ok: true, claims }),
    (error) => ({ ok: false, description: error.message }),
  )
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
