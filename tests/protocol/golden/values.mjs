// Values that reach the limits of their types, and the forms that @bare-ts gives to bytes and unions.

export const I64_MIN = -(2n ** 63n)
export const I64_MAX = 2n ** 63n - 1n
export const U64_MAX = 2n ** 64n - 1n
export const U32_MAX = 2 ** 32 - 1
export const U16_MAX = 2 ** 16 - 1
export const UNICODE = "größe 東京 🦀 \u0000 e\u0301"

export const text = (string) => new TextEncoder().encode(string).buffer
export const bytes = (...values) => new Uint8Array(values).buffer
// Not constant, so that a part that is moved or repeated shows.
export const long = (length) => Uint8Array.from({ length }, (_, position) => (position * 7) % 251).buffer
export const empty = bytes()

export const member = (tag, val = null) => ({ tag, val })

// Neither sorted nor in reverse, so that an encoder that reorders shows.
export const HEADERS = new Map([
    ["x-second", "2"],
    ["content-type", "text/plain; charset=utf-8"],
    ["", ""],
    ["a-first", UNICODE],
    ["x-long", "v".repeat(300)],
])
