// What the loader of the native binary names, and TypeScript cannot see.

declare module '*.node' {
  const binding: typeof import('../binding')
  export = binding
}

declare module 'lan-peers-*' {
  const binding: typeof import('../binding')
  export = binding
}

/** In bundles that webpack makes. */
declare const __webpack_require__: unknown

/** In bundles that ncc makes. */
declare const __nccwpck_require__: unknown
