/** Makes a self-signed certificate for localhost (RFC 5280, X.690). Node has no function for that, and not every machine has openssl. */

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface Certificate {
  key: string
  cert: string
}

const DAY_MS = 86_400_000
const ECDSA_WITH_SHA256 = '2a8648ce3d040302'
const COMMON_NAME = '550403'
const SUBJECT_ALT_NAME = '551d11'

const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  version: 0xa0,
  extensions: 0xa3
}

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: Buffer[]): Buffer => der(tags.sequence, ...parts)
const oid = (hex: string): Buffer => der(tags.oid, Buffer.from(hex, 'hex'))
const utcTime = (ms: number): Buffer => der(tags.utcTime, Buffer.from(`${new Date(ms).toISOString().replace(/^\d\d|[-:T]|\.\d+/g, '')}`))

/** Valid from yesterday until tomorrow. */
export function selfSigned(): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(oid(ECDSA_WITH_SHA256))
  const name = sequence(der(tags.set, sequence(oid(COMMON_NAME), der(tags.utf8, Buffer.from('localhost')))))
  const names = sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])))
  const toSign = sequence(
    der(tags.version, der(tags.integer, Buffer.from([2]))),
    der(tags.integer, Buffer.from([1]), randomBytes(15)),
    algorithm,
    name,
    sequence(utcTime(Date.now() - DAY_MS), utcTime(Date.now() + DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(tags.extensions, sequence(sequence(oid(SUBJECT_ALT_NAME), der(tags.octetString, names))))
  )
  const signed = sequence(toSign, algorithm, der(tags.bitString, Buffer.from([0]), sign('sha256', toSign, privateKey)))
  const lines = signed.toString('base64').match(/.{1,64}/g) ?? []
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
  }
}
